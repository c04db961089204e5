// A08: numbers, objects and all kinds of typed arrays passed to send, ping and close. A value that is no message is a TypeError; of a typed
// array only its own bytes are sent, and nothing of the memory around them.

import t from 'tap'
import { prepareMessage } from '../../lib/index.js'
import { BINARY, PING } from '../support/raw-peer.js'
import { meet, WAYS } from './support.js'

const WRONG: unknown[] = [
  5,
  0,
  -1,
  1e9,
  Number.NaN,
  null,
  {},
  { length: 5 },
  { byteLength: 5 },
  [1, 2],
  true,
  1n,
  Symbol('a')
]

const memory = Buffer.from('0123456789abcdefghijklmnopqrstuv').buffer.slice(0)
const shared = new SharedArrayBuffer(8)
new Uint8Array(shared).set(Buffer.from('01234567'))
const all = Buffer.from('0123456789abcdefghijklmnopqrstuv')
const bytes = new Uint8Array(all).buffer

/** Views of bytes 8 to 24 of `bytes`, whatever the size of their elements. */
const VIEWS: NodeJS.ArrayBufferView[] = [
  new Uint8Array(bytes, 8, 16),
  new Int8Array(bytes, 8, 16),
  new Uint8ClampedArray(bytes, 8, 16),
  new Uint16Array(bytes, 8, 8),
  new Int32Array(bytes, 8, 4),
  new Float32Array(bytes, 8, 4),
  new Float64Array(bytes, 8, 2),
  new BigUint64Array(bytes, 8, 2),
  new DataView(bytes, 8, 16),
  Buffer.from(bytes, 8, 16)
]

for (const way of WAYS) {
  t.test(`${way}: a value that is not a message is a TypeError, and nothing is sent`, async t => {
    const { ws, peer } = await meet(t, way)
    const calls: ((wrong: never) => unknown)[] = [
      wrong => ws.text(wrong),
      // an array of byte-sized integers is valid
      wrong => ws.binary(Array.isArray(wrong) ? ([...(wrong as number[]), 256] as never) : wrong),
      wrong => ws.send(wrong),
      wrong => ws.ping(wrong),
      wrong => ws.pong(wrong),
      wrong => ws.createMessage(wrong),
      wrong => prepareMessage(wrong)
    ]
    for (const wrong of WRONG) for (const call of calls) t.throws(() => call(wrong as never), TypeError)
    for (const code of ['1000', {}, [1000], 1000n]) t.throws(() => ws.close(code as never), TypeError)
    for (const code of [Number.NaN, 1e9, 1005, 1006, 2000, -1]) t.throws(() => ws.close(code), RangeError)
    for (const reason of [5, {}, null, Buffer.from('a')]) t.throws(() => ws.close(1000, reason as never), TypeError)
    ws.text('right')
    t.equal(String((await peer.nextFrame())!.payload), 'right')
  })

  t.test(`${way}: views are sent by their bytes`, async t => {
    const { ws, peer } = await meet(t, way)
    const expected = all.subarray(8, 24)
    const sends: ((view: NodeJS.ArrayBufferView) => unknown)[] = [
      view => ws.binary(view),
      view => ws.messages.write(view),
      view => ws.send(prepareMessage(view)),
      view => ws.createMessage('binary').end(new Uint8Array(view.buffer, view.byteOffset, view.byteLength))
    ]
    for (const send of sends) {
      for (const view of VIEWS) {
        send(view)
        let payload = Buffer.alloc(0)
        for (let fin = false; !fin; ) {
          const frame = (await peer.nextFrame())!
          payload = Buffer.concat([payload, frame.payload])
          fin = frame.fin
        }
        t.same(payload, expected, view.constructor.name)
      }
    }
    for (const buffer of [memory, shared]) {
      ws.binary(buffer)
      const { opcode, payload } = (await peer.nextFrame())!
      t.equal(opcode, BINARY)
      t.same(payload, Buffer.from(new Uint8Array(buffer)))
    }
    ws.ping(new Uint16Array(bytes, 8, 8) as never)
    t.match(await peer.nextFrame(), { opcode: PING, payload: expected })
  })
}
