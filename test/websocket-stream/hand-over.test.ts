// A connection on raw bytes that is handed over to a server of node:http, with all the bytes received so far.

import { EventEmitter, once } from 'node:events'
import http, { type IncomingMessage, type ServerResponse } from 'node:http'
import https from 'node:https'
import { type Duplex, PassThrough, pipeline } from 'node:stream'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { acceptWebSockets, type UpgradeRequest, WebSocketStream } from '../../lib/index.js'
import { pipeline as portable } from '../../lib/streams.js'
import { LOCALHOST } from '../support/certificates.js'
import { pair } from '../support/pair.js'
import { RawPeer, requestHead, TEXT } from '../support/raw-peer.js'
import { ask, nameOfRaw, RAW_SETUPS, rawServer, rawWire } from './raw-server.js'
import { fresh, rejection, settle } from './sides.js'

const MEMORY = { wire: 'memory', join: 'attach' } as const

/** Responds with the method, the path, the header fields and the body of the request. */
async function echo(request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.end(`${request.method} ${request.url} ${JSON.stringify(request.rawHeaders)} ${await text(request)}`)
}

const page = (server: http.Server | https.Server) =>
  server.on('request', (request, response) => void echo(request, response))

for (const setup of RAW_SETUPS) {
  t.test(`node:http gets the request byte for byte, and the bytes after it: ${nameOfRaw(setup)}`, async t => {
    const bytes = ask('POST /a?b HTTP/1.1', ['x-Odd:  case  ', 'Content-Length: 11'], 'hello world')
    const next = ask('GET /next HTTP/1.1', ['Connection: close'])
    for (const at of [bytes.length + next.length, bytes.length, bytes.length - 5, 20]) {
      const { ws, peer, socket, closes, errors } = await rawServer(t, setup)
      const server = page(http.createServer())
      ws.on('request', () => {
        t.equal(ws.handOver(server), true)
        t.equal(ws.handOver(server), false, 'once')
        t.equal(ws.reject(404), false)
        t.equal(ws.accept(), false)
      })
      const all = Buffer.concat([bytes, next])
      peer.write(all.subarray(0, at))
      await settle()
      if (at < all.length) peer.write(all.subarray(at))
      const responses = String(await peer.rest())
      t.match(responses, 'POST /a?b ["Host","example.com","x-Odd","case","Content-Length","11"] hello world')
      t.match(responses, 'GET /next ["Host","example.com","Connection","close"]')
      peer.end()
      t.match(await rejection(ws.opened), { code: 'WS_ERR_HANDED_OVER', status: 0 })
      t.match(await ws.whenClosed(), { code: 1006, wasClean: false, initiator: 'local' })
      await settle()
      t.match([closes.length, errors.length, ws.status], [1, 0, 0])
      if (setup.wire !== 'memory') t.notOk(socket.destroyed && !socket.writableFinished, 'it was not cut')
      server.close()
    }
  })

  t.test(`handed over later, with bytes that have arrived since: ${nameOfRaw(setup)}`, async t => {
    const { ws, peer } = await rawServer(t, setup, { highWaterMark: 1000 })
    const server = page(http.createServer())
    const asked = once(ws, 'request')
    const body = 'x'.repeat(200_000)
    peer.write(ask('PUT / HTTP/1.1', [`Content-Length: ${body.length}`, 'Connection: close']))
    await asked
    for (let i = 0; i < body.length; i += 5000) peer.write(Buffer.from(body.slice(i, i + 5000)))
    await settle()
    t.equal(ws.handOver(server), true)
    t.ok(String(await peer.rest()).includes(body))
    peer.end()
    await ws.whenClosed()
  })

  t.test(`a request for a WebSocket can be handed over too: ${nameOfRaw(setup)}`, async t => {
    const { ws, peer } = await rawServer(t, setup)
    const server = http.createServer()
    acceptWebSockets(server, {}, connection => {
      connection.on('message', message => connection.text(`echo ${message}`))
    })
    ws.on('request', () => ws.handOver(server))
    peer.write(requestHead(), peer.frame(TEXT, 'early'))
    t.equal((await peer.head()).status, 101)
    t.equal(String((await peer.nextFrame())?.payload), 'echo early')
    peer.text('late')
    t.equal(String((await peer.nextFrame())?.payload), 'echo late')
    peer.close()
    await peer.rest()
    peer.end()
    await ws.whenClosed()
  })
}

t.test('an https server gets a TLS socket as already decrypted', async t => {
  for (const join of ['attach', 'pipe'] as const) {
    const { ws, peer } = await rawServer(t, { wire: 'tls', join })
    ws.on('request', () => ws.handOver(page(https.createServer(LOCALHOST))))
    peer.write(ask('GET /secret HTTP/1.1', ['Connection: close']))
    t.match(String(await peer.rest()), /GET \/secret /)
    peer.end()
    await ws.whenClosed()
  }
})

t.test("a server that throws is the application's, and the connection has ended nevertheless", async t => {
  const { ws, peer } = await rawServer(t, MEMORY)
  const server = http.createServer()
  server.removeAllListeners('connection')
  server.on('connection', () => {
    throw new Error('the application')
  })
  const asked = once(ws, 'request')
  peer.write(ask('GET / HTTP/1.1'))
  await asked
  t.throws(() => ws.handOver(server), { message: 'the application' })
  t.match(await ws.whenClosed(), { code: 1006 })
})

t.test('a handover that is not possible throws, and the request can still be answered', async t => {
  const server = http.createServer()
  t.test('an invalid server', async t => {
    const { ws, peer } = await rawServer(t, MEMORY)
    t.equal(ws.handOver(server), false, 'before there is a request')
    const asked = once(ws, 'request')
    peer.write(ask('GET / HTTP/1.1'))
    await asked
    for (const wrong of [undefined, null, {}, 'server', () => {}])
      t.throws(() => ws.handOver(wrong as never), TypeError)
    ws.reject(404)
    t.equal((await peer.head()).status, 404)
  })

  t.test('a request whose body is being read', async t => {
    const { ws, peer } = await rawServer(t, MEMORY)
    const asked = once(ws, 'request') as Promise<[UpgradeRequest]>
    peer.write(ask('POST / HTTP/1.1', ['Content-Length: 2'], 'ab'))
    const [{ body }] = await asked
    t.equal(await text(body!), 'ab')
    t.throws(() => ws.handOver(server), { name: 'TypeError', message: /body/ })
    ws.reject(404)
    t.equal((await peer.head()).status, 404)
  })

  t.test('a wire of two streams', async t => {
    const [left, right] = pair()
    const out = new PassThrough()
    const ws = WebSocketStream.server()
    left.pipe(ws).pipe(out).pipe(left)
    const peer = new RawPeer(right, 'client')
    const asked = once(ws, 'request')
    peer.write(ask('GET / HTTP/1.1'))
    await asked
    t.throws(() => ws.handOver(server), { name: 'TypeError', message: /the same stream/ })
    ws.reject(404)
    t.equal((await peer.head()).status, 404)
    ws.destroy()
    left.destroy()
  })

  t.test('a request that another parser has read, and a client', async t => {
    const { ws } = await fresh(t, { role: 'http', join: 'attach', wire: 'memory' })
    t.throws(() => ws.handOver(server), { name: 'TypeError', message: /WebSocketStream\.server/ })
    const { ws: client } = await fresh(t, { role: 'client', join: 'attach', wire: 'memory' })
    t.equal(client.handOver(server), false)
    await ws.opened
    t.equal(ws.handOver(server), false)
  })
})

for (const setup of RAW_SETUPS) {
  t.test(`the bytes wait for a server that begins to read later: ${nameOfRaw(setup)}`, async t => {
    const app = page(http.createServer())
    const servers = {
      'by a data listener': (socket: Duplex) => app.emit('connection', socket),
      'by a pipe': (socket: Duplex) => {
        const [near, far] = pair()
        app.emit('connection', near)
        socket.pipe(far).pipe(socket)
      },
      'by a loop': async (socket: Duplex) => {
        for await (const chunk of socket) {
          t.match(String(chunk), 'GET /later')
          break
        }
      }
    }
    for (const [how, read] of Object.entries(servers)) {
      const { ws, peer } = await rawServer(t, setup)
      const given = once(ws, 'request')
      peer.write(ask('GET /later HTTP/1.1', ['Connection: close']))
      await given
      const slow = new EventEmitter()
      const connected = once(slow, 'connection') as Promise<[Duplex]>
      t.equal(ws.handOver(slow), true)
      const [socket] = await connected
      await settle()
      await read(socket)
      if (how !== 'by a loop') t.match(String(await peer.rest()), 'GET /later', how)
      peer.end()
    }
  })

  t.test(`a server may drop what arrives: ${nameOfRaw(setup)}`, async t => {
    const { ws, peer } = await rawServer(t, setup)
    const drop = new EventEmitter()
    const ended = new Promise(resolve => {
      drop.on('connection', (socket: Duplex) => socket.resume().on('end', resolve))
    })
    ws.on('request', () => ws.handOver(drop))
    peer.write(ask('GET / HTTP/1.1'))
    peer.end()
    await ended
  })
}

t.test('a connection in a pipeline() cannot be handed over, and the request can still be answered', async t => {
  const server = page(http.createServer())
  for (const wire of ['memory', 'tcp', 'tls'] as const) {
    for (const ways of [pipeline, portable]) {
      const [socket, theirs] = await rawWire(t, wire)
      const ws = WebSocketStream.server()
      const peer = new RawPeer(theirs, 'client')
      const over = new Promise(resolve => ways(socket, ws, socket, resolve))
      const asked = once(ws, 'request')
      peer.write(ask('GET / HTTP/1.1'))
      await asked
      t.throws(() => ws.handOver(server), { name: 'TypeError', message: /pipeline\(\)/ })
      t.equal(ws.reject(404), true)
      t.equal((await peer.head()).status, 404)
      peer.end()
      await ws.whenClosed()
      await over
    }
  }
})
