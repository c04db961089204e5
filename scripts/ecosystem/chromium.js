// Headless Chromium, for scenarios of programs that control it.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--remote-debugging-port=0'
]

/** Starts it; resolves with the URL of its WebSocket, and a function that ends it. */
export async function startChromium() {
  const profile = mkdtempSync(join(tmpdir(), 'chromium-'))
  const flags = [...FLAGS, `--user-data-dir=${profile}`, 'about:blank']
  const child = spawn('chromium', flags, { stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = once(child, 'close')
  for await (const line of createInterface(child.stderr)) {
    const url = /DevTools listening on (ws:\S+)/.exec(line)?.[1]
    if (url === undefined) continue
    child.stderr.resume()
    return { url, stop: () => stop(child, ended, profile) }
  }
  throw new Error('chromium did not start')
}

async function stop(child, ended, profile) {
  child.kill()
  await ended
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
}
