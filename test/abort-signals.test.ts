// Many connections on one AbortSignal: the signal has one listener, it is removed again, and every connection is ended.

import { getEventListeners } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import t from 'tap'
import { follow, unfollow } from '../lib/abort-signals.js'
import { acceptWebSockets, BrowserWebSocketStream, connect, WebSocketStream } from '../lib/index.js'
import { listen } from './net/web-servers.js'
import { pair } from './support/pair.js'
import { RawPeer, requestHead } from './support/raw-peer.js'

const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length

t.test('connections share one listener on a signal, which is removed with the last of them', async t => {
  const { signal } = new AbortController()
  const all = Array.from({ length: 100 }, () => ({ aborted() {} }))
  for (const follower of all) follow(signal, follower)
  t.equal(listeners(signal), 1)
  for (const follower of all.slice(1)) unfollow(signal, follower)
  t.equal(listeners(signal), 1)
  unfollow(signal, all[0]!)
  t.equal(listeners(signal), 0)
  unfollow(signal, all[0]!)
  unfollow(new AbortController().signal, all[0]!)
  follow(signal, all[0]!)
  t.equal(listeners(signal), 1, 'and comes back with the next')
})

t.test('every follower is notified of an abort, even if another leaves or throws', async t => {
  const control = new AbortController()
  const told: number[] = []
  const second = { aborted: () => told.push(2) }
  const thrown = new Promise(resolve => process.once('uncaughtException', resolve))
  const first = {
    aborted() {
      told.push(1)
      unfollow(control.signal, second)
      throw new Error('thrown by a listener')
    }
  }
  for (const follower of [first, second, { aborted: () => told.push(3) }]) follow(control.signal, follower)
  control.abort()
  t.match(await thrown, { message: 'thrown by a listener' })
  t.same(told, [1, 2, 3])
})

t.test('connections of every kind share the listener, and leave none on a signal that outlives them', async t => {
  const warnings: Error[] = []
  const warned = (warning: Error) => warnings.push(warning)
  process.on('warning', warned)
  t.teardown(() => process.off('warning', warned))
  const { signal } = new AbortController()
  const server = http2.createServer()
  const acceptor = acceptWebSockets(server, { signal }, ws => void ws.messages.resume())
  const web = http.createServer()
  acceptWebSockets(web, { signal }, ws => void ws.messages.resume())
  const url = `ws://127.0.0.1:${await listen(t, server)}/`
  const webUrl = `ws://127.0.0.1:${await listen(t, web)}/`
  const clients = [
    ...Array.from({ length: 12 }, () => connect(url, { http2: true, signal })),
    ...Array.from({ length: 12 }, () => connect(webUrl, { signal }))
  ]
  const others = Array.from({ length: 12 }, () => new BrowserWebSocketStream(webUrl, { signal }))
  await Promise.all([...clients, ...others].map(client => client.opened))
  t.equal(listeners(signal), 1)
  const failed = new BrowserWebSocketStream('ws://127.0.0.1:1/', { signal, handshakeTimeout: 5000 })
  await failed.opened.catch(() => {})
  for (const client of [...clients, ...others]) client.close()
  await Promise.all(others.map(client => client.closed))
  await Promise.all(clients.map(client => client.whenClosed()))
  await acceptor.close()
  await new Promise(setImmediate)
  while (listeners(signal) > 0) await new Promise(setImmediate)
  t.equal(listeners(signal), 0)
  t.same(warnings, [])
})

t.test('an acceptor whose signal is aborted closes open connections, and answers later requests', async t => {
  for (const make of [() => http.createServer(), () => http2.createServer()]) {
    const control = new AbortController()
    const server = make()
    const refusals: unknown[] = []
    acceptWebSockets(server, { signal: control.signal }, ws => void ws.messages.resume()).on('refused', error =>
      refusals.push(error)
    )
    const url = `ws://127.0.0.1:${await listen(t, server as http.Server)}/`
    const before = connect(url, { http2: true })
    before.messages.resume()
    await before.opened
    control.abort()
    t.match(await before.whenClosed(), { code: 1000, wasClean: true })
    const late = connect(url, { http2: true })
    t.match(await late.opened.catch(error => error), { code: 'WS_ERR_UNEXPECTED_STATUS', status: 503 })
    await late.whenClosed()
    t.match(refusals, [{ code: 'WS_ERR_ABORTED', status: 503, fault: 'local' }])
  }
})

t.test('a server on raw bytes answers too, whenever it gets its wire', async t => {
  const control = new AbortController()
  const ws = WebSocketStream.server({ signal: control.signal })
  control.abort(new Error('enough'))
  await new Promise(setImmediate)
  t.equal(ws.readyState, 'connecting')
  const [near, far] = pair()
  t.teardown(() => far.destroy())
  const peer = new RawPeer(far, 'client')
  ws.attach(near)
  peer.write(requestHead())
  t.match(await peer.head(), { first: 'HTTP/1.1 503 Service Unavailable' })
  t.match(await ws.opened.catch(error => error), { code: 'WS_ERR_ABORTED', status: 503, cause: { message: 'enough' } })
})

t.test('a value that is not a signal is a TypeError, and nothing is dialled', async t => {
  const signal = { aborted: false } as AbortSignal
  t.throws(() => new BrowserWebSocketStream('ws://127.0.0.1:1/', { signal }), { name: 'TypeError' })
  t.throws(() => connect('ws://127.0.0.1:1/', { signal }), { name: 'TypeError' })
})
