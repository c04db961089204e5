// Headless Chromium for the duration of a test; it can reach only the loopback.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BrowserContext, chromium } from 'playwright-core'
import { findChromium, needPeer, type TestLike } from './peers.js'

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync'
]

/** Starts the browser on an empty profile; if it is not installed, the test is skipped and this is `undefined`. */
export async function launchBrowser(t: TestLike): Promise<BrowserContext | undefined> {
  const executablePath = needPeer(t, findChromium(), 'chromium')
  if (executablePath === undefined) return undefined
  const profile = mkdtempSync(join(tmpdir(), 'websocket-duplex-chromium-'))
  const removeProfile = () => rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
  try {
    const browser = await chromium.launchPersistentContext(profile, { executablePath, args: FLAGS, timeout: 30_000 })
    t.teardown(async () => {
      await browser.close()
      removeProfile()
    })
    return browser
  } catch (error) {
    removeProfile()
    throw error
  }
}
