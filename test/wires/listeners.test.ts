// How many listeners a piped connection adds to a socket: no more than an ordinary pipe would.

import { PassThrough, pipeline } from 'node:stream'
import t from 'tap'
import { RawPeer } from '../support/raw-peer.js'
import { rawWire } from '../websocket-stream/raw-server.js'
import { make, settle, shake } from '../websocket-stream/sides.js'

const EVENTS = ['close', 'end', 'finish', 'error', 'drain', 'data', 'newListener', 'unpipe'] as const

for (const role of ['server', 'client'] as const) {
  for (const wire of ['tcp', 'tls', 'memory'] as const) {
    t.test(`pipeline(socket, ws, socket) does not warn about too many listeners: ${role}, ${wire}`, async t => {
      const warnings: Error[] = []
      const warned = (warning: Error): void => void warnings.push(warning)
      process.on('warning', warned)
      t.teardown(() => process.off('warning', warned))
      const [socket, theirs] = await rawWire(t, wire)
      const peer = new RawPeer(theirs, role === 'client' ? 'server' : 'client')
      const ws = make(role)
      t.teardown(() => ws.destroy())
      const over = new Promise(resolve => pipeline(socket, ws, socket, resolve))
      await shake(peer, role)
      await ws.opened
      const [other, far] = await rawWire(t, wire)
      pipeline(other, new PassThrough(), other, () => {})
      t.ok(socket.listenerCount('close') <= other.listenerCount('close'))
      for (const event of EVENTS) t.ok(socket.listenerCount(event) <= 10, event)
      ws.close()
      t.equal(String((await peer.nextFrame())?.payload.readUInt16BE()), '1000')
      peer.close()
      peer.end()
      await over
      await settle()
      t.match(await ws.whenClosed(), { code: 1000, wasClean: true })
      // Node warns of other things too
      t.notOk(warnings.some(({ name }) => name === 'MaxListenersExceededWarning'))
      other.destroy()
      far.destroy()
    })
  }
}
