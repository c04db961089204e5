// Proxies of Debian: a process for each test, on a free port of the loopback, with its files in a temporary folder.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import type { HandshakeError, WebSocketStream } from '../../lib/index.js'
import { connect } from '../../lib/net/connect.js'
import type { ConnectOptions } from '../../lib/net/connect-options.js'
import { echo, KINDS } from '../net/servers.js'
import { AUTHORITY, LOCALHOST } from '../support/certificates.js'
import { pattern } from '../support/frames.js'
import { findCommand, freePort, needPeer, stopChild, takesCalls } from '../support/peers.js'
import { collect, rejection } from '../websocket-stream/sides.js'

export interface ProxyPeer {
  /** The command, and the Debian package that contains it. */
  name: string
  /** Its arguments; it may write to `folder`. */
  prepare(port: number, folder: string, setup: ProxySetup): string[]
  /** Its output when it listens. */
  ready: RegExp
  user: string
  password: string
  /** The status of the response to a wrong password. */
  wrong: 401 | 407
}

export interface ProxySetup {
  /** Whether it requires a user and a password. */
  authorization: boolean
  /** The only port to which it opens tunnels; undefined for any. */
  onlyPort?: number
  /** Whether its clients use TLS. */
  secure?: boolean
}

/** Starts a proxy, and ends it with the test; resolves with its port. */
async function start(t: Test, command: string, peer: ProxyPeer, setup: ProxySetup): Promise<number> {
  // another process may take the port between the moment it was found free and now
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    const said = await launch(t, command, peer, port, setup)
    if (said === null) {
      // squid reports that it listens shortly before it does
      while (!(await takesCalls(port))) await new Promise(setImmediate)
      return port
    }
    if (attempt === 3) throw new Error(`${peer.name} does not listen:\n${said}`)
  }
}

/** Resolves with null when it listens, or with its output if it ended. */
async function launch(t: Test, command: string, peer: ProxyPeer, port: number, setup: ProxySetup) {
  const folder = mkdtempSync(join(tmpdir(), `websocket-duplex-${peer.name}-`))
  // some drop the privileges with which they were started
  chmodSync(folder, 0o755)
  const child = spawn(command, peer.prepare(port, folder, setup), { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = once(child, 'close')
  ended.catch(() => {})
  t.teardown(async () => {
    await stopChild(child, ended)
    rmSync(folder, { recursive: true, force: true })
  })
  const said: string[] = []
  const listens = new Promise<null>(resolve => {
    for (const output of [child.stdout, child.stderr]) {
      createInterface({ input: output }).on('line', line => {
        said.push(line)
        if (peer.ready.test(line)) resolve(null)
      })
    }
  })
  return Promise.race([listens, ended.then(() => said.join('\n'))])
}

/** Runs all tests through one proxy. */
export function testProxy(t: Test, peer: ProxyPeer, secure: boolean): void {
  const command = needPeer(t, findCommand(peer.name), peer.name)
  if (command === undefined) return
  const trust = { tls: { ca: AUTHORITY }, proxyTls: { ca: AUTHORITY } }
  const { user, password } = peer
  const userinfo = `${encodeURIComponent(user)}:${encodeURIComponent(password)}@`
  const dial = (scheme: string, port: number, proxy: string, more: ConnectOptions = {}): WebSocketStream => {
    const tls: ConnectOptions = scheme === 'wss' ? { tls: trust.tls } : {}
    const proxyTls: ConnectOptions = proxy.startsWith('https:') ? { proxyTls: trust.proxyTls } : {}
    return connect(`${scheme}://127.0.0.1:${port}/`, { proxy, ...tls, ...proxyTls, ...more })
  }

  for (const authorization of [false, true]) {
    t.test(`${peer.name} ${authorization ? 'with' : 'without'} authorization`, async t => {
      const proxyPort = await start(t, command, peer, { authorization })
      const proxy = `http://${authorization ? userinfo : ''}127.0.0.1:${proxyPort}`
      for (const scheme of ['ws', 'wss']) {
        for (const kind of KINDS) {
          t.test(`${scheme}, to a server of ${kind === 'ws' ? 'ws' : 'our own'}`, async t => {
            const { port } = await echo(t, kind, scheme === 'wss' ? { tls: { ...LOCALHOST } } : {})
            await converse(t, dial(scheme, port, proxy))
          })
        }
        if (authorization) {
          t.test(`${scheme}, without a password or with a wrong one`, async t => {
            const { port } = await echo(t)
            const none = await refusal(t, dial(scheme, port, `http://127.0.0.1:${proxyPort}`))
            t.match(none, { status: 407, headers: { 'proxy-authenticate': /^Basic / } })
            const wrong = `http://${encodeURIComponent(user)}:wrong@127.0.0.1:${proxyPort}`
            const other = await refusal(t, dial(scheme, port, wrong))
            t.equal(other.status, peer.wrong)
            for (const { body } of [none, other]) t.match(String(body), /<html/i)
          })
        }
      }
      t.test('an unreachable server', async t => {
        const error = await refusal(t, dial('ws', await freePort(), proxy))
        t.ok(error.status >= 500, `${error.status}`)
      })
      t.test('A19: wss to a server with an unknown certificate', async t => {
        const { port } = await echo(t, 'ours', { tls: { ...LOCALHOST } })
        const ws = dial('wss', port, proxy, { tls: {} })
        t.match(await rejection(ws.opened), { cause: { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' } })
        await ws.whenClosed()
      })
    })
  }

  t.test(`${peer.name} opens no tunnel to a forbidden port`, async t => {
    const { port } = await echo(t)
    const proxyPort = await start(t, command, peer, { authorization: false, onlyPort: port })
    await converse(t, dial('ws', port, `http://127.0.0.1:${proxyPort}`))
    const other = await echo(t)
    const error = await refusal(t, dial('ws', other.port, `http://127.0.0.1:${proxyPort}`))
    t.equal(error.status, 403)
    t.equal(other.requests.length, 0)
  })

  if (!secure) return
  t.test(`${peer.name} over TLS`, async t => {
    const proxyPort = await start(t, command, peer, { authorization: true, secure: true })
    const proxy = `https://${userinfo}localhost:${proxyPort}`
    for (const scheme of ['ws', 'wss']) {
      const { port } = await echo(t, 'ours', scheme === 'wss' ? { tls: { ...LOCALHOST } } : {})
      await converse(t, dial(scheme, port, proxy))
    }
  })
}

async function converse(t: Test, ws: WebSocketStream): Promise<void> {
  const large = pattern(1_000_000)
  ws.messages.write('hello')
  ws.messages.end(large)
  const { got, error } = await collect(ws.messages)
  t.equal(error, null)
  t.equal(got[0], 'hello')
  t.ok(large.equals(got[1] as Buffer))
  t.match(await ws.whenClosed(), { code: 1000, wasClean: true, initiator: 'local' })
}

/** The proxy's refusal. */
async function refusal(t: Test, ws: WebSocketStream): Promise<HandshakeError> {
  const error = (await rejection(ws.opened)) as unknown as HandshakeError
  const refusal = (error.cause ?? error) as HandshakeError
  t.match(refusal, { name: 'HandshakeError', code: 'WS_ERR_PROXY' })
  await ws.whenClosed()
  return refusal
}

/** Writes a file into a proxy's folder, and returns its path. */
export function write(folder: string, name: string, ...lines: string[]): string {
  const path = join(folder, name)
  writeFileSync(path, `${lines.join('\n')}\n`)
  return path
}
