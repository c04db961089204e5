// A03: an endless list of header fields, or one endless line: to a server, to a client, and to the client of a CONNECT proxy.

import t, { type Test } from 'tap'
import { type HandshakeError, ProxyTunnel, WebSocketStream } from '../../lib/index.js'
import { pair } from '../support/pair.js'
import { RawPeer } from '../support/raw-peer.js'
import { rejection } from '../websocket-stream/sides.js'
import { http2Server, MIB, pour } from './support.js'

interface Limits {
  maxHeaderSize?: number
  maxHeaders?: number
}

/** Each reader of a head: the peer that sends it, how it begins, and how the reader fails. */
const READERS: Record<string, (t: Test, limits: Limits) => { peer: RawPeer; start: string; opened: Promise<unknown> }> =
  {
    server(t, limits) {
      const [ours, theirs] = pair()
      const ws = WebSocketStream.server(limits).attach(ours)
      t.teardown(() => ws.destroy())
      return { peer: new RawPeer(theirs, 'client'), start: 'GET / HTTP/1.1\r\n', opened: ws.opened }
    },
    client(t, limits) {
      const [ours, theirs] = pair()
      const ws = WebSocketStream.client('ws://a.example/', limits).attach(ours)
      t.teardown(() => ws.destroy())
      const start = 'HTTP/1.1 101 Switching Protocols\r\n'
      return { peer: new RawPeer(theirs, 'server'), start, opened: ws.opened }
    },
    tunnel(t, limits) {
      const [ours, theirs] = pair()
      const tunnel = new ProxyTunnel('a.example:80', limits).attach(ours)
      t.teardown(() => tunnel.destroy())
      return { peer: new RawPeer(theirs, 'server'), start: 'HTTP/1.1 200 OK\r\n', opened: tunnel.opened }
    }
  }

const ENDLESS: [name: string, start: (start: string) => string, more: string, code: RegExp][] = [
  ['a list of fields', start => start, 'A: b\r\n', /WS_ERR_HEAD_TOO_LARGE/],
  ['one line', start => `${start}A: `, 'b'.repeat(100), /WS_ERR_HEAD_TOO_LARGE/],
  ['a first line', start => start.split(' ', 1)[0]!, 'b'.repeat(100), /WS_ERR_(TARGET_TOO_LONG|HEAD_TOO_LARGE)/]
]

for (const [reader, begin] of Object.entries(READERS)) {
  for (const [name, startOf, more, code] of ENDLESS) {
    t.test(`${reader}: an endless ${name} is refused at the limit`, async t => {
      const { peer, start, opened } = begin(t, {})
      peer.write(Buffer.from(startOf(start)))
      const failed = rejection(opened)
      const poured = await pour(peer, Buffer.from(more.repeat(10)), MIB)
      t.ok(poured < MIB / 8, `${poured} bytes were taken`)
      t.match(await failed, { name: 'HandshakeError', code })
      if (reader === 'server') t.match(String(peer.input), /^HTTP\/1\.1 (431|414) /)
    })
  }

  t.test(`${reader}: without limits it is read without end`, async t => {
    const none = Number.POSITIVE_INFINITY
    const { peer, start, opened } = begin(t, { maxHeaderSize: none, maxHeaders: none })
    peer.write(Buffer.from(start))
    opened.catch(() => {})
    t.ok((await pour(peer, Buffer.from('A: b\r\n'.repeat(1000)), MIB)) >= MIB)
    t.notOk(peer.hasEnded)
  })

  t.test(`${reader}: the number of fields and the size of a head have separate limits`, async t => {
    for (const [limits, fields] of [
      [{ maxHeaders: 5 }, 'A: b\r\n'.repeat(6)],
      [{ maxHeaderSize: 200 }, `A: ${'b'.repeat(200)}\r\n`]
    ] as const) {
      const { peer, start, opened } = begin(t, limits)
      peer.write(Buffer.from(start + fields))
      t.match(((await rejection(opened)) as unknown as HandshakeError).code, /WS_ERR_HEAD_TOO_LARGE/)
    }
  })
}

t.test('http2: node:http2 refuses a list of fields that is too long, and the session continues', async t => {
  const { client, next, ask } = await http2Server(t)
  const fields = Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`x-${i}`, 'b'.repeat(100)]))
  const stream = client.request({ ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/', ...fields })
  const status = await new Promise<unknown>(resolve => {
    stream.on('response', headers => resolve(headers[':status']))
    stream.on('error', () => resolve('an error'))
    stream.on('close', () => resolve('closed'))
  })
  t.not(status, 200)
  t.equal((await ask()).status, 200)
  t.match(await (await next).ws.opened, { version: 'rfc8441' })
})
