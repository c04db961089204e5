// One message, framed once for many receivers.

import t from 'tap'
import { prepareMessage } from '../../lib/index.js'
import type { Frame } from '../../lib/protocol/frame.js'
import { FrameWriter } from '../../lib/protocol/frame-writer.js'
import { FrameCutter, frameOf } from '../../lib/protocol/message-splitter.js'
import { Opcode } from '../../lib/protocol/opcode.js'
import { PreparedMessage } from '../../lib/protocol/prepared-message.js'
import { binary, describe, pattern, readWire, text, wire } from '../support/frames.js'

const SIZES = [0, 1, 125, 126, 65535, 65536, 100_000]

t.test("its bytes are those of a server's frame, made once", async t => {
  for (const size of SIZES) {
    const prepared = prepareMessage(pattern(size))
    t.equal(prepared.size, size)
    const { whole } = prepared
    t.equal(prepared.whole, whole)
    t.ok(whole.prepared!.wire.equals(wire(false, binary(pattern(size)))))
    t.ok(whole.payload.equals(pattern(size)))
    t.equal(whole.prepared?.message, prepared)
    const [first, second] = [new FrameWriter(false), new FrameWriter(false)]
    first.toSocket = second.toSocket = true
    first.add(whole)
    second.add(whole)
    t.equal(first.take()[0], whole.prepared!.wire, 'and go out as they are')
    t.equal(second.take()[0], whole.prepared!.wire)
  }
  t.ok(prepareMessage('gr\u00fc\u00df').whole.prepared!.wire.equals(wire(false, text('gr\u00fc\u00df'))))
})

t.test('with other frames, or masked, it is written like any frame', async t => {
  for (const size of SIZES) {
    const { whole } = prepareMessage(pattern(size))
    for (const masked of [false, true]) {
      const writer = new FrameWriter(masked)
      writer.add(whole)
      writer.add(whole)
      const frames = readWire(Buffer.concat(writer.take()))
      t.equal(frames.length, 2)
      t.ok(frames.every(({ payload, opcode }) => payload.equals(pattern(size)) && opcode === 2))
      t.ok(frames.every(({ mask }) => (mask !== null) === masked))
    }
    t.ok(whole.payload.equals(pattern(size)), 'masking leaves the bytes that are shared alone')
  }
})

t.test('the data may change afterwards', async t => {
  const bytes = Buffer.from('abc')
  const memory = new Uint16Array([0x6261, 0x6463])
  const [one, two] = [prepareMessage(bytes), prepareMessage(memory)]
  bytes.fill(0)
  memory.fill(0)
  t.equal(String(one.whole.payload), 'abc')
  t.equal(String(two.whole.payload), 'abcd')
})

function splitMessage(message: PreparedMessage, size: number): Frame[] {
  const cutter = new FrameCutter(size)
  cutter.cut(frameOf(message))
  const frames: Frame[] = []
  for (let frame = cutter.next(); frame !== null; frame = cutter.next()) frames.push(frame)
  return frames
}

t.test('within fragmentSize it is shared, beyond it is split for each connection', async t => {
  const prepared = prepareMessage('abcde')
  t.equal(splitMessage(prepared, 5)[0], prepared.whole)
  const cut = splitMessage(prepared, 2)
  t.same(
    cut.map(({ opcode, payload, fin, rsv }) => describe({ opcode, payload, fin, rsv })),
    ['text+ 6162', 'more+ 6364', 'more 65']
  )
  t.ok(cut.every(frame => frame.prepared === null && frame.compress))
})

t.test('compress: false is on every frame of it', async t => {
  const prepared = prepareMessage('abcde', { compress: false })
  t.equal(prepared.compress, false)
  t.equal(prepared.whole.compress, false)
  t.ok(splitMessage(prepared, 2).every(frame => !frame.compress))
  t.equal(prepareMessage('a').compress, true)
  t.equal(prepareMessage('a', { compress: undefined }).compress, true)
})

t.test('it is compressed once for each set of parameters', async t => {
  const prepared = new PreparedMessage(Opcode.Text, Buffer.from('abc'), true)
  let times = 0
  const deflate = (payload: Buffer): Buffer => {
    times++
    return Buffer.concat([payload, Buffer.from('!')])
  }
  const frame = prepared.deflated(12, deflate)
  t.match(frame, { opcode: Opcode.Text, rsv: 4, fin: true })
  t.equal(String(frame.payload), 'abc!')
  t.equal(readWire(frame.prepared!.wire)[0]!.rsv, 4)
  t.equal(prepared.deflated(12, deflate), frame)
  t.not(prepared.deflated(15, deflate), frame)
  t.equal(times, 2)
})

t.test('an invalid message or option is a TypeError', async t => {
  for (const wrong of [5, null, undefined, {}, []]) t.throws(() => prepareMessage(wrong as never), TypeError)
  for (const compress of ['no', 0, null])
    t.throws(() => prepareMessage('a', { compress: compress as never }), TypeError)
})
