import t from 'tap'
import { Frame } from '../../lib/protocol/frame.js'
import {
  FrameCutter,
  frameOf,
  type Outgoing,
  type Sendable,
  toBytes,
  Uncompressed,
  writtenSize
} from '../../lib/protocol/message-splitter.js'
import { PreparedMessage } from '../../lib/protocol/prepared-message.js'
import { bytesOf, describe, pattern } from '../support/frames.js'

const NO_SPLITTING = Number.POSITIVE_INFINITY
const names = (frames: Frame[]): string[] =>
  frames.map(({ opcode, payload, fin, rsv }) => describe({ opcode, payload, fin, rsv }))

/** All fragments of a frame. */
function splitFrame(frame: Frame, size: number): Frame[] {
  const cutter = new FrameCutter(size)
  cutter.cut(frame)
  const frames: Frame[] = []
  for (let left = cutter.left; ; left = cutter.left) {
    const fragment = cutter.next()
    if (fragment === null) return frames
    t.equal(cutter.left, left - fragment.size)
    frames.push(fragment)
  }
}

const splitMessage = (message: Outgoing, size: number): Frame[] => splitFrame(frameOf(message), size)

t.test('a string is one text frame, and bytes are one binary frame', async t => {
  t.same(names(splitMessage('gr\u00fc\u00df', NO_SPLITTING)), ['text 6772c3bcc39f'])
  t.same(names(splitMessage(Buffer.from('abc'), NO_SPLITTING)), ['binary 616263'])
  t.same(names(splitMessage('', NO_SPLITTING)), ['text'])
  t.same(names(splitMessage(Buffer.alloc(0), NO_SPLITTING)), ['binary'])
})

t.test('a message within fragmentSize is one frame, one byte more makes two (RFC 6455 §5.4)', async t => {
  t.same(names(splitMessage('abcd', 4)), ['text 61626364'])
  t.same(names(splitMessage('abcde', 4)), ['text+ 61626364', 'more 65'])
  t.same(names(splitMessage(Buffer.from('abcdefgh'), 4)), ['binary+ 61626364', 'more 65666768'])
  t.same(names(splitMessage(Buffer.from('abcdefghi'), 4)), ['binary+ 61626364', 'more+ 65666768', 'more 69'])
})

t.test('only the last fragment is final, only the first has the opcode, and together they are the message', async t => {
  for (const size of [1, 2, 9, 10, 11, 99, 100, 101, 1000]) {
    const frames = splitMessage(pattern(1000), size)
    t.equal(frames.length, Math.ceil(1000 / size))
    t.same(Buffer.concat(frames.map(frame => frame.payload)), pattern(1000))
    t.ok(frames.every((frame, i) => frame.fin === (i === frames.length - 1)))
    t.ok(frames.every((frame, i) => frame.opcode === (i === 0 ? 2 : 0)))
    t.ok(frames.every(frame => frame.size <= size))
  }
})

t.test('text is split by bytes, inside a character too', async t => {
  t.same(names(splitMessage('\u20ac\u20ac', 2)), ['text+ e282', 'more+ ace2', 'more 82ac'])
})

t.test('fragments are views, not copies', async t => {
  const bytes = pattern(100)
  t.ok(splitMessage(bytes, 30).every(({ payload }) => payload.buffer === bytes.buffer))
})

t.test('binary data of every kind is sent by its bytes, not its elements (A08)', async t => {
  const memory = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]).buffer
  const shared = new SharedArrayBuffer(8)
  new Uint8Array(shared).set(new Uint8Array(memory))
  const kinds: [string, Sendable, number[]][] = [
    ['a Buffer', Buffer.from(memory, 2, 3), [3, 4, 5]],
    ['a Uint8Array', new Uint8Array(memory, 1, 2), [2, 3]],
    ['an Int16Array', new Int16Array(memory, 2, 2), [3, 4, 5, 6]],
    ['a Float64Array', new Float64Array(memory), [1, 2, 3, 4, 5, 6, 7, 8]],
    ['a BigInt64Array', new BigInt64Array(memory), [1, 2, 3, 4, 5, 6, 7, 8]],
    ['a DataView', new DataView(memory, 3, 2), [4, 5]],
    ['an ArrayBuffer', memory, [1, 2, 3, 4, 5, 6, 7, 8]],
    ['a SharedArrayBuffer', shared, [1, 2, 3, 4, 5, 6, 7, 8]]
  ]
  for (const [what, data, bytes] of kinds) {
    t.same(Buffer.from(toBytes(data)), Buffer.from(bytes), what)
    t.same(bytesOf(splitMessage(data, NO_SPLITTING)[0]!.payload), Buffer.from(bytes), `${what}, in a frame`)
  }
})

t.test('a message that must not be compressed is marked on every frame', async t => {
  t.ok(splitMessage('abc', 2).every(frame => frame.compress))
  const frames = splitMessage(new Uncompressed('abc'), 2)
  t.same(names(frames), ['text+ 6162', 'more 63'])
  t.ok(frames.every(frame => !frame.compress))
  t.same(names(splitMessage(new Uncompressed(Buffer.from('a')), NO_SPLITTING)), ['binary 61'])
  t.throws(() => splitMessage(new Uncompressed(5 as never), NO_SPLITTING), TypeError)
})

t.test('a fragment of a message is split into fragments', async t => {
  const first = new Frame(1, 'abc', false)
  t.same(names(splitFrame(first, 2)), ['text+ 6162', 'more+ 63'])
  t.equal(splitFrame(first, 3)[0], first)
  t.same(names(splitFrame(new Frame(0, 'abc'), 2)), ['more+ 6162', 'more 63'])
  t.same(names(splitFrame(new Frame(0, '', true), 2)), ['more'])
  const plain = new Frame(2, 'abc')
  plain.compress = false
  t.ok(splitFrame(plain, 1).every(frame => !frame.compress))
})

t.test('a part of a frame, and a small one, are unchanged', async t => {
  const part = new Frame(2, 'abc').asPart(0, 6)
  t.same(splitFrame(part, 2), [part])
  const rest = new Frame(2, 'def').asPart(3, 6)
  t.same(splitFrame(rest, 2), [rest])
  t.equal(new FrameCutter(2).next(), null)
})

t.test('reserved bits are set on the first fragment only (RFC 7692 §6)', async t => {
  t.same(
    splitFrame(new Frame(2, 'abcde', true, 4), 2).map(({ rsv }) => rsv),
    [4, 0, 0]
  )
})

t.test('the size of each kind of written item', async t => {
  const memory = new ArrayBuffer(6)
  const prepared = new PreparedMessage(1, Buffer.from('abcd'), true)
  const sizes: [unknown, number][] = [
    ['\u20ac', 3],
    [Buffer.from('ab'), 2],
    [new Uint16Array(memory, 2, 2), 4],
    [memory, 6],
    [prepared, 4],
    [new Uncompressed('\u20ac'), 3],
    [{}, 0]
  ]
  for (const [item, size] of sizes) t.equal(writtenSize(item), size)
})

t.test('A08: a value that is neither text nor bytes is a TypeError', async t => {
  for (const wrong of [
    5,
    0,
    null,
    undefined,
    true,
    {},
    [1, 2],
    5n,
    Symbol('x'),
    () => {},
    { length: 5 },
    { byteLength: 5 }
  ]) {
    t.throws(() => toBytes(wrong), TypeError)
    t.throws(() => splitMessage(wrong as Sendable, NO_SPLITTING), TypeError)
  }
})
