// A relay with other implementations: ws on both sides, Chromium in front of ws, nginx and haproxy in front of the relay.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { permessageDeflate } from '../../lib/extensions/permessage-deflate.js'
import { WebSocketStream } from '../../lib/index.js'
import { type RelayOptions, relay } from '../../lib/net/relay.js'
import { launchBrowser } from '../support/browser.js'
import { findCommand, freePort, needPeer, stopChild, type TestLike, takesCalls } from '../support/peers.js'
import { listenOnLoopback } from './our-side.js'

/** An echo made with ws; resolves with its port. */
async function target(t: TestLike, requests: IncomingMessage[] = []): Promise<number> {
  const server = createServer()
  const sockets = new WebSocketServer({
    server,
    perMessageDeflate: { threshold: 0 },
    handleProtocols: protocols => (protocols.has('echo') ? 'echo' : false)
  })
  sockets.on('connection', (ws, request) => {
    requests.push(request)
    ws.on('message', (data, binary) => {
      if (String(data) === 'close me') ws.close(4010, 'as you wish')
      else ws.send(data, { binary })
    })
  })
  return listenOnLoopback(t, server)
}

/** A relay to that target; resolves with its port. */
async function relayTo(t: TestLike, port: number, options: RelayOptions = {}, own = false): Promise<number> {
  const extensions = own ? [permessageDeflate({ threshold: 0 })] : []
  const server = createServer((_request, response) => response.end('<!doctype html><link rel="icon" href="data:,">'))
  server.on('upgrade', (request, socket, head) => {
    const ws = WebSocketStream.http(request, head, { extensions }).attach(socket)
    relay(ws, `ws://127.0.0.1:${port}/base`, options)
  })
  return listenOnLoopback(t, server)
}

const SIZES = [0, 1, 125, 126, 65535, 65536, 300_000]

/** A conversation of `ws` with the echo behind a relay. */
async function talk(t: Test, url: string, compressed: boolean): Promise<void> {
  const ws = new WebSocket(url, ['none', 'echo'], { perMessageDeflate: compressed && { threshold: 0 } })
  await once(ws, 'open')
  t.equal(ws.protocol, 'echo')
  t.equal(ws.extensions.includes('permessage-deflate'), compressed)
  for (const size of SIZES) {
    for (const sent of [Buffer.alloc(size, 'bytes and '), 'grüße '.repeat(size / 6)]) {
      ws.send(sent)
      const [data, isBinary] = (await once(ws, 'message')) as [Buffer, boolean]
      t.equal(isBinary, typeof sent !== 'string')
      t.ok(data.equals(Buffer.from(sent as string)), `${size} bytes`)
    }
  }
  ws.ping('are you there')
  t.equal(String((await once(ws, 'pong'))[0]), 'are you there')
  ws.send('close me')
  const [code, reason] = (await once(ws, 'close')) as [number, Buffer]
  t.strictSame([code, String(reason)], [4010, 'as you wish'])
}

// before the first test: tap ends a file whose tests are done while it still waits
const browser = await launchBrowser(t)

for (const compressed of [false, true]) {
  t.test(`ws on both sides, ${compressed ? 'compressed' : 'plain'}`, async t => {
    await t.test('frames', async t => talk(t, `ws://127.0.0.1:${await relayTo(t, await target(t))}`, compressed))
    await t.test('compressed by each side for itself', async t => {
      const port = await relayTo(t, await target(t), { connect: { extensions: [permessageDeflate()] } }, compressed)
      return talk(t, `ws://127.0.0.1:${port}`, compressed)
    })
    await t.test('the target’s side uncompressed', async t => {
      const port = await relayTo(t, await target(t), { connect: { extensions: [] } }, compressed)
      return talk(t, `ws://127.0.0.1:${port}`, compressed)
    })
    await t.test('messages inspected', async t => {
      const port = await relayTo(t, await target(t), { onMessage: message => message }, compressed)
      return talk(t, `ws://127.0.0.1:${port}`, compressed)
    })
  })
}

const PAGE_TALK = `new Promise((resolve, reject) => {
  const seen = []
  const ws = new WebSocket(location.href.replace('http', 'ws'), ['echo'])
  ws.binaryType = 'arraybuffer'
  const sent = ['text 😀', 'x'.repeat(100000), new Uint8Array(70000).fill(7), 'close me']
  ws.onopen = () => seen.push(ws.protocol, ws.extensions.includes('permessage-deflate'))
  ws.addEventListener('open', () => sent.forEach(message => ws.send(message)))
  ws.onmessage = ({ data }) => seen.push(typeof data, data.length ?? data.byteLength)
  ws.onclose = ({ code, reason, wasClean }) => resolve([...seen, code, reason, wasClean])
  ws.onerror = () => reject(new Error('failed'))
})`

if (browser) {
  t.test('Chromium on one side, ws on the other', async t => {
    for (const options of [{}, { connect: { extensions: [] } }] satisfies RelayOptions[]) {
      const page = await browser.newPage()
      await page.goto(`http://127.0.0.1:${await relayTo(t, await target(t), options, true)}/`)
      const seen = await page.evaluate(PAGE_TALK)
      t.strictSame(seen, ['echo', true, 'string', 7, 'string', 100000, 'object', 70000, 4010, 'as you wish', true])
    }
  })
}

interface Front {
  command: string
  debianPackage: string
  /** The configuration for a proxy on `port` in front of `relay`, in a temporary folder. */
  config(port: number, relay: number, folder: string): string
  args(file: string, folder: string): string[]
}

const FRONTS: readonly Front[] = [
  {
    command: 'nginx',
    debianPackage: 'nginx-light',
    config: (port, relay, folder) => `
      daemon off; master_process off; pid ${folder}/pid; error_log stderr;
      events { }
      http {
        access_log off;
        client_body_temp_path ${folder}/a; proxy_temp_path ${folder}/b; fastcgi_temp_path ${folder}/c;
        uwsgi_temp_path ${folder}/d; scgi_temp_path ${folder}/e;
        server {
          listen 127.0.0.1:${port};
          location / {
            proxy_pass http://127.0.0.1:${relay};
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
            proxy_set_header X-Forwarded-For $remote_addr;
          }
        }
      }`,
    args: (file, folder) => ['-p', folder, '-c', file]
  },
  {
    command: 'haproxy',
    debianPackage: 'haproxy',
    config: (port, relay) => `
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  timeout tunnel 30s
  option forwardfor
frontend f
  bind 127.0.0.1:${port}
  default_backend b
backend b
  server relay 127.0.0.1:${relay}
`,
    args: file => ['-db', '-f', file]
  }
]

for (const front of FRONTS) {
  t.test(`${front.command} in front of a relay`, { timeout: 60_000 }, async t => {
    const command = needPeer(t, findCommand(front.command), front.debianPackage)
    if (command === undefined) return
    const requests: IncomingMessage[] = []
    const options: RelayOptions = { forwarded: 'x-forwarded', forwardHeaders: ['x-forwarded-for'], forwardPath: true }
    const port = await startFront(t, front, command, await relayTo(t, await target(t, requests), options))
    for (const compressed of [false, true]) await talk(t, `ws://127.0.0.1:${port}/path?query`, compressed)
    t.equal(requests[0]!.url, '/path?query')
    t.equal(requests[0]!.headers['x-forwarded-for'], '127.0.0.1, 127.0.0.1')
  })
}

async function startFront(t: TestLike, front: Front, command: string, relayPort: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'websocket-duplex-front-'))
  const port = await freePort()
  const file = join(folder, 'config')
  writeFileSync(file, front.config(port, relayPort, folder))
  const child: ChildProcess = spawn(command, front.args(file, folder), { stdio: ['ignore', 'ignore', 'pipe'] })
  let complaints = ''
  child.stderr!.setEncoding('utf8').on('data', text => (complaints += text))
  const ended = once(child, 'close')
  t.teardown(async () => {
    await stopChild(child, ended)
    rmSync(folder, { recursive: true, force: true })
  })
  while (!(await takesCalls(port))) {
    if (child.exitCode !== null) throw new Error(`${front.command} ended: ${complaints}`)
    await new Promise(resolve => setTimeout(resolve, 30))
  }
  return port
}
