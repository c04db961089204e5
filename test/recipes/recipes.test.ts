// The recipes in examples/recipes, each unchanged: started as a process, asked for its page, used by npm's `ws`,
// and ended by SIGTERM with a connection open.

import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { connectStream, session } from '../net/web-servers.js'
import { AUTHORITY } from '../support/certificates.js'
import { Inbox } from '../support/inbox.js'
import { stopChild } from '../support/peers.js'

const path = (file: string): string => fileURLToPath(new URL(file, import.meta.url))
const BUILT = path('../../dist/index.js')

if (!existsSync(BUILT)) {
  t.fail('needs dist: npm run build')
} else {
  t.test('node', async t => {
    const { origin, stop } = await start(t, 'node')
    t.match(await page(origin), 'hello from node:http')
    const peer = await dial(t, `${origin}echo`)
    peer.socket.send('hello')
    t.equal(await peer.next(), 'hello')
    t.equal(await refusal(`${origin}other`), 404)
    await stop(peer)
  })

  t.test('http2', async t => {
    const certificate = (name: string): string => path(`../support/certificates/${name}.pem`)
    const { origin, stop } = await start(t, 'http2', {
      KEY: certificate('localhost-key'),
      CERT: certificate('localhost')
    })
    const peer = await dial(t, `${origin}echo`)
    t.equal(await peer.next(), 'this is hybi-13')
    peer.socket.send('hello')
    t.equal(await peer.next(), 'hello')
    const client = await session(t, Number(new URL(origin).port))
    const [first] = await once(client.request({ ':path': '/' }), 'data')
    t.equal(String(first), 'hello over HTTP/2.0\n')
    const stream = await connectStream(client, { ':path': '/echo' })
    t.equal(String((await stream.peer.nextFrame())!.payload), 'this is rfc8441')
    stream.peer.text('hello')
    t.equal(String((await stream.peer.nextFrame())!.payload), 'hello')
    stream.peer.close()
    await stream.peer.ended()
    stream.peer.end()
    client.close()
    await stop(peer)
  })

  t.test('express', async t => {
    const { origin, stop } = await start(t, 'express')
    t.match(await page(origin), 'hello from Express')
    t.equal(await refusal(`${origin}chat`), 401)
    const headers = { Authorization: 'Bearer secret-of-ada' }
    t.equal(await refusal(`${origin}chat`, { headers, origin: 'https://evil.test' }), 403)
    const peers = [await dial(t, `${origin}chat`, { headers }), await dial(t, `${origin}chat`, { headers })]
    for (const peer of peers) t.equal(await peer.next(), 'hello Ada')
    peers[0]!.socket.send('good morning')
    for (const peer of peers) t.equal(await peer.next(), 'Ada: good morning')
    await stop(...peers)
  })

  t.test('fastify', async t => {
    const { origin, stop } = await start(t, 'fastify')
    t.match(await page(origin), 'hello from Fastify')
    t.equal(await refusal(`${origin}rooms/`), 404)
    const peers = [await dial(t, `${origin}rooms/kitchen?name=Ada`), await dial(t, `${origin}rooms/kitchen?name=Eve`)]
    const other = await dial(t, `${origin}rooms/garden?name=Ada`)
    for (const peer of peers) t.equal(await peer.next(), 'this is /rooms/kitchen')
    t.equal(await other.next(), 'this is /rooms/garden')
    peers[0]!.socket.send('hello')
    for (const peer of peers) t.equal(await peer.next(), 'Ada: hello')
    other.socket.send('alone')
    t.equal(await other.next(), 'Ada: alone', 'the query makes no other room, and the path does')
    await stop(...peers, other)
  })

  const STALLED: [recipe: string, path: string, headers: Record<string, string>][] = [
    ['express', 'chat', { Authorization: 'Bearer secret-of-ada' }],
    ['fastify', 'rooms/kitchen', {}]
  ]
  for (const [name, target, headers] of STALLED) {
    t.test(`${name}: a client that does not read takes at most 1 MiB`, async t => {
      const script = path('stalled.js')
      const { stdout } = await promisify(execFile)('env', [
        ...['-i', 'PORT=0', process.execPath, script],
        ...[`../../examples/recipes/${name}.js`, target, JSON.stringify(headers)]
      ])
      const { broadcast, held, rooms } = JSON.parse(stdout.trimEnd().split('\n').at(-1)!)
      t.ok(broadcast > 100e6, `${broadcast} bytes sent to the room`)
      t.ok(held > 500_000 && held <= 2 ** 20, `${held} bytes held`)
      t.equal(rooms, 0, 'and a room in which nobody is left is gone')
    })
  }

  t.test('hono', async t => {
    const { origin, stop } = await start(t, 'hono')
    t.match(await page(origin), 'hello from Hono')
    const peer = await dial(t, `${origin}upper`)
    peer.socket.send('hello')
    t.equal(await peer.next(), 'HELLO')
    const other = await dial(t, `${origin}upper`)
    other.socket.send(Buffer.from('bytes'))
    t.same(await other.closed, [1003, 'text only'])
    await stop(peer)
  })

  t.test('koa', async t => {
    const { origin, stop } = await start(t, 'koa')
    const response = await fetch(origin)
    t.equal(await response.text(), 'hello from Koa')
    t.equal(await refusal(`${origin}whoami`), 401)
    const cookies = response.headers.getSetCookie().map(cookie => cookie.split(';')[0]!)
    const peer = await dial(t, `${origin}whoami`, { headers: { Cookie: cookies.join('; ') } })
    t.equal(await peer.next(), 'you are Ada')
    t.same(await peer.closed, [1000, ''])
    t.equal(await refusal(`${origin}whoami`, { headers: { Cookie: 'name=Eve; name.sig=x' } }), 401)
    await stop()
  })
}

interface Peer {
  socket: WebSocket
  next(): Promise<string | undefined>
  closed: Promise<[number, string]>
}

/** Starts a recipe on a free port; `stop` ends it and checks that it closes its connections. */
async function start(t: Test, name: string, environment: Record<string, string> = {}) {
  const file = path(`../../examples/recipes/${name}.js`)
  // `env -i` removes the environment that tap gives its children: the recipes and the build are not part of the coverage
  const variables = Object.entries({ PORT: '0', ...environment }).map(([key, value]) => `${key}=${value}`)
  const child = spawn('env', ['-i', ...variables, process.execPath, file], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'close')
  t.teardown(() => stopChild(child, ended))
  let origin: string | undefined
  for await (const line of createInterface({ input: child.stdout })) {
    origin = /https?:\/\/\S+/.exec(line)?.[0]
    if (origin !== undefined) break
  }
  if (origin === undefined) throw new Error(`${name} ended before it was there`)
  const stop = async (...peers: Peer[]): Promise<void> => {
    child.kill('SIGTERM')
    for (const peer of peers) t.equal((await peer.closed)[0], 1001)
    t.same(await ended, [0, null])
  }
  return { origin, stop }
}

async function page(origin: string): Promise<string> {
  const response = await fetch(origin, { headers: { Connection: 'close' } })
  return response.text()
}

async function dial(t: Test, url: string, options: object = {}): Promise<Peer> {
  const socket = new WebSocket(url.replace(/^http/, 'ws'), {
    ca: AUTHORITY,
    servername: 'localhost',
    ...options
  } as object)
  t.teardown(() => socket.terminate())
  const inbox = new Inbox<string>()
  socket.on('message', data => inbox.put(String(data)))
  const closed = new Promise<[number, string]>(resolve => {
    socket.on('close', (code, reason) => resolve([code, String(reason)]))
  })
  await once(socket, 'open')
  return { socket, next: () => inbox.take(), closed }
}

/** The status with which a handshake is refused. */
async function refusal(url: string, options: object = {}): Promise<number | undefined> {
  const socket = new WebSocket(url.replace(/^http/, 'ws'), options)
  socket.on('error', () => {})
  const [, response] = await once(socket, 'unexpected-response')
  socket.terminate()
  return response.statusCode
}
