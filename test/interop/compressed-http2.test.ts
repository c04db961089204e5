// permessage-deflate on streams of HTTP/2 (RFC 8441), between our own two sides.

import t from 'tap'
import { acceptWebSockets, connect } from '../../lib/index.js'
import { noise } from '../extensions/codecs.js'
import { listen, makeServer } from '../net/web-servers.js'
import { AUTHORITY } from '../support/certificates.js'
import { AT_PEACE, conversation, endWith, extensionFor, json, play } from './compressed-talk.js'

t.test('compressed messages on streams of one HTTP/2 session', async t => {
  const server = makeServer('h2')
  acceptWebSockets(server, { extensions: [extensionFor({ threshold: 0 })] }, ws => {
    ws.messages.pipe(ws.messages)
  })
  const port = await listen(t, server)
  const dial = (contextTakeover: boolean) => {
    const extensions = [extensionFor({ windowBits: 11, peerWindowBits: 10, contextTakeover, threshold: 0 })]
    return endWith(t, connect(`wss://localhost:${port}/`, { http2: true, tls: { ca: AUTHORITY }, extensions }))
  }
  const all = [dial(true), dial(false), dial(true)]
  const large = [json(2 ** 20), noise(2 ** 20)].map(data => ({ data, way: 'in pieces' as const }))
  const outcomes = await Promise.all(all.map((ws, i) => play(ws, [...conversation(12), ...large], i)))
  for (const [i, ws] of all.entries()) {
    t.match(outcomes[i], AT_PEACE)
    t.equal(ws.version, 'rfc8441')
    t.match(ws.extensions, /server_max_window_bits=10/)
    t.ok(ws.stats.compressionSent > 1.5 && ws.stats.compressionReceived > 1.5)
  }
})
