// A25: a response other than 101 with a body that never ends.

import t, { type Test } from 'tap'
import { connect, type HandshakeError, ProxyTunnel, WebSocketStream } from '../../lib/index.js'
import { listen, makeServer } from '../net/web-servers.js'
import { AUTHORITY } from '../support/certificates.js'
import { pair } from '../support/pair.js'
import { RawPeer } from '../support/raw-peer.js'
import { rejection } from '../websocket-stream/sides.js'
import { MIB, pour, TO_THIS_MACHINE } from './support.js'

const KEPT = 65536

const ASKERS: Record<string, (t: Test) => { peer: RawPeer; opened: Promise<unknown> }> = {
  client(t) {
    const [ours, theirs] = pair()
    const ws = WebSocketStream.client('ws://a.example/').attach(ours)
    t.teardown(() => ws.destroy())
    return { peer: new RawPeer(theirs, 'server'), opened: ws.opened }
  },
  connect(t) {
    const [ours, theirs] = pair()
    const ws = connect('ws://a.example/', { createConnection: () => ours, maxRedirects: 3 })
    t.teardown(() => ws.destroy())
    return { peer: new RawPeer(theirs, 'server'), opened: ws.opened }
  },
  tunnel(t) {
    const [ours, theirs] = pair()
    const tunnel = new ProxyTunnel('a.example:80').attach(ours)
    t.teardown(() => tunnel.destroy())
    return { peer: new RawPeer(theirs, 'server'), opened: tunnel.opened }
  }
}

const chunk = (bytes: number): string => `${bytes.toString(16)}\r\n${'x'.repeat(bytes)}\r\n`
const ENDLESS: [name: string, fields: string, more: string][] = [
  ['to the end of the wire', '', 'x'.repeat(1000)],
  ['of a length beyond all', 'Content-Length: 999999999999\r\n', 'x'.repeat(1000)],
  ['in chunks', 'Transfer-Encoding: chunked\r\n', chunk(1000)],
  ['in chunks of one byte', 'Transfer-Encoding: chunked\r\n', chunk(1).repeat(200)],
  ['in one chunk beyond all', 'Transfer-Encoding: chunked\r\n\r\nffffffff', '\r\n'.padEnd(1000, 'x')],
  ['of chunk extensions', 'Transfer-Encoding: chunked\r\n\r\n1;', 'x'.repeat(1000)],
  ['of interim responses', '', 'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(10)]
]

for (const [asker, ask] of Object.entries(ASKERS)) {
  for (const [name, fields, more] of ENDLESS) {
    t.test(`${asker}: a body ${name} is read up to a limit`, async t => {
      const { peer, opened } = ask(t)
      await peer.head()
      const failed = rejection(opened)
      const status = name.includes('interim') ? '102 Wait' : '403 Forbidden'
      peer.write(Buffer.from(`HTTP/1.1 ${status}\r\n${fields}${fields.includes('\r\n\r\n') ? '' : '\r\n'}`))
      const poured = await pour(peer, Buffer.from(more), 4 * MIB)
      t.ok(poured < MIB, `${poured} bytes were taken`)
      const { body } = (await failed) as unknown as HandshakeError
      t.ok(body.length <= KEPT, `${body.length} were kept`)
    })
  }

  t.test(`${asker}: a body within it is complete`, async t => {
    const { peer, opened } = ask(t)
    await peer.head()
    peer.write(Buffer.from(`HTTP/1.1 403 Forbidden\r\nContent-Length: 10000\r\n\r\n${'x'.repeat(10000)}`))
    t.match(await rejection(opened), { status: 403, body: Buffer.alloc(10000, 'x') })
  })
}

t.test('http2: an endless body is read up to the same limit', async t => {
  const server = makeServer('h2')
  if ('updateSettings' in server) server.updateSettings({ enableConnectProtocol: true })
  let sent = 0
  server.on('stream', stream => {
    stream.respond({ ':status': 403 })
    stream.on('error', () => {})
    const more = (): void => {
      sent += 10_000
      if (!stream.destroyed && sent < 8 * MIB) stream.write(Buffer.alloc(10_000, 'x'), more)
    }
    more()
  })
  const ws = connect(`wss://localhost:${await listen(t, server)}/`, {
    http2: true,
    tls: { ca: AUTHORITY },
    socket: TO_THIS_MACHINE
  })
  const { status, body } = (await rejection(ws.opened)) as unknown as HandshakeError
  t.equal(status, 403)
  t.equal(body.length, KEPT)
  await ws.whenClosed()
  t.ok(sent < 2 * MIB, `${sent} bytes were sent`)
})
