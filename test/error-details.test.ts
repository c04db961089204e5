// The details of an error, for programs that report it in their own words.

import { once } from 'node:events'
import t from 'tap'
import { permessageDeflate, type WebSocketOptions } from '../lib/index.js'
import { wireFrame } from './support/raw-peer.js'
import { open } from './websocket-stream/sides.js'

const SERVER = { role: 'server', join: 'attach', wire: 'memory' } as const
const masked = (opcode: number, payload: string | Uint8Array = '', changes = {}): Buffer =>
  wireFrame(opcode, payload, { masked: true, ...changes })

const CASES: [string, Buffer, object, WebSocketOptions?][] = [
  ['WS_ERR_UNEXPECTED_RSV', masked(1, 'x', { rsv: 3 }), { opcode: 1, rsv: 3 }],
  ['WS_ERR_INVALID_OPCODE', masked(5), { opcode: 5 }],
  ['WS_ERR_EXPECTED_MASK', wireFrame(2, 'x'), { opcode: 2 }],
  ['WS_ERR_CONTROL_FRAGMENTED', masked(9, '', { fin: false }), { opcode: 9 }],
  ['WS_ERR_CONTROL_TOO_LARGE', masked(10, Buffer.alloc(126)), { opcode: 10, length: 126 }],
  ['WS_ERR_FRAME_TOO_LARGE', masked(2, Buffer.alloc(11)), { opcode: 2, length: 11 }, { maxFrameSize: 10 }],
  ['WS_ERR_MESSAGE_TOO_LARGE', masked(2, Buffer.alloc(11)), { length: 11 }, { maxMessageSize: 10 }],
  ['WS_ERR_UNEXPECTED_CONTINUATION', masked(0, 'x'), { opcode: 0 }],
  ['WS_ERR_UNEXPECTED_CONTINUATION', masked(0, 'x', { fin: false }), { opcode: 0 }],
  ['WS_ERR_EXPECTED_CONTINUATION', Buffer.concat([masked(1, 'x', { fin: false }), masked(2, 'y')]), { opcode: 2 }],
  ['WS_ERR_INVALID_CLOSE_CODE', masked(8, Buffer.from([3, 236])), { closeCode: 1004 }],
  ['WS_ERR_INVALID_UTF8', masked(1, Buffer.from([0xff])), {}]
]

for (const [code, bytes, details, options] of CASES) {
  t.test(`${code}: ${JSON.stringify(details)}`, async t => {
    const { ws, peer } = await open(t, SERVER, options)
    ws.on('message', () => {})
    const failed = once(ws, 'error')
    peer.write(bytes)
    t.match(await failed, [{ code }])
    t.same(((await failed)[0] as { details: object }).details, details)
  })
}

t.test("zlib's name for the error is reported", async t => {
  const { ws, peer } = await (await import('./websocket-stream/sides.js')).fresh(t, SERVER, {
    extensions: [permessageDeflate()]
  })
  const { requestHead } = await import('./support/raw-peer.js')
  peer.write(requestHead({ 'Sec-WebSocket-Extensions': 'permessage-deflate' }))
  await peer.head()
  ws.on('message', () => {})
  const failed = once(ws, 'error')
  peer.send(1, Buffer.from([255, 255, 255, 255]), { rsv: 4 })
  t.match(await failed, [{ code: 'WS_ERR_INVALID_COMPRESSED_DATA', details: { zlib: 'Z_DATA_ERROR' } }])
})
