import { setFlagsFromString } from 'node:v8'
import t from 'tap'
import { Frame, type MemoryOwner } from '../../lib/protocol/frame.js'
import { FrameParser } from '../../lib/protocol/frame-parser.js'
import { Opcode } from '../../lib/protocol/opcode.js'
import { readBinary } from '../../lib/protocol/received-bytes.js'
import { smallText } from '../../lib/protocol/small-payload.js'
import { binary, MASK, pattern, wire } from '../support/frames.js'

const mask = MASK.readInt32LE(0)

/** What an application may do with shared memory: older versions of Node copy it on transfer, later ones refuse. */
function transfer(bytes: Buffer): void {
  try {
    structuredClone(bytes, { transfer: [bytes.buffer as ArrayBuffer] })
  } catch {}
}

/** Transfers memory that is not marked. */
function detach(bytes: Buffer): void {
  structuredClone(bytes.buffer, { transfer: [bytes.buffer as ArrayBuffer] })
}

/** Detaches memory although it is marked, as an application can in Node 22; from Node 24 on this is impossible, and the result is false. */
function forceDetach(bytes: Buffer): boolean {
  setFlagsFromString('--allow-natives-syntax')
  try {
    new Function('memory', '%ArrayBufferDetach(memory)')(bytes.buffer)
  } catch {}
  setFlagsFromString('--no-allow-natives-syntax')
  return bytes.length === 0
}

/** A chunk with its own memory, with masked payloads of these sizes at these places. */
function chunkOf(length: number, ...places: [start: number, size: number][]): Buffer {
  const chunk = Buffer.allocUnsafeSlow(length)
  for (const [start, size] of places) {
    chunk.set(
      pattern(size).map((byte, i) => byte ^ MASK[i % 4]!),
      start
    )
  }
  return chunk
}

const read = (chunk: Buffer, start: number, size: number, owner: MemoryOwner = 'us'): Buffer =>
  readBinary(new Frame(Opcode.Binary, chunk).within(start, size, mask, owner))

t.test('a payload alone in its chunk is a view of it, and can be transferred', async t => {
  for (const start of [2, 14]) {
    const chunk = chunkOf(start + 5000, [start, 5000])
    const bytes = read(chunk, start, 5000)
    t.equal(bytes.buffer, chunk.buffer)
    t.same(bytes, pattern(5000))
    detach(bytes)
    t.equal(bytes.length, 0)
  }
})

t.test('payloads that share a chunk are views of it that cannot be transferred', async t => {
  for (const memory of [2 ** 16, 2 ** 20 + 2 ** 16]) {
    const size = memory / 4
    const chunk = chunkOf(memory, [8, size], [size + 100, size], [memory - size, size])
    const all = [8, size + 100, memory - size].map(start => read(chunk, start, size))
    for (const bytes of all) {
      t.equal(bytes.buffer, chunk.buffer)
      transfer(bytes)
    }
    for (const bytes of all) t.ok(bytes.equals(pattern(size)))
    all[1]!.fill(0)
    t.ok(all[0]!.equals(pattern(size)) && all[2]!.equals(pattern(size)), 'and which can be changed')
  }
})

t.test('a payload in a foreign chunk is copied, and the chunk is not changed', async t => {
  for (const [start, length] of [
    [2, 5002],
    [40, 6000]
  ] as const) {
    const chunk = chunkOf(length, [start, 5000])
    const before = Buffer.from(chunk)
    const bytes = read(chunk, start, 5000, 'wire')
    t.not(bytes.buffer, chunk.buffer)
    t.ok(bytes.equals(pattern(5000)))
    bytes.fill(0)
    t.ok(chunk.equals(before))
  }
})

t.test('small payloads of many connections share memory that cannot be transferred', async t => {
  const chunk = chunkOf(2000, [0, 100], [500, 100], [900, 0])
  const first = read(chunk, 0, 100)
  const second = read(chunk, 500, 100)
  t.equal(first.buffer, second.buffer)
  transfer(first)
  t.ok(first.equals(pattern(100)) && second.equals(pattern(100)))
  transfer(read(chunk, 900, 0))
  t.same(read(chunk, 900, 0), Buffer.alloc(0))
  t.not(read(chunk, 900, 0), read(chunk, 900, 0), 'and empty ones share nothing')
})

t.test('if shared memory is detached nevertheless, the next payloads use other memory', async t => {
  const chunk = chunkOf(2000, [0, 100])
  const first = read(chunk, 0, 100)
  const isDetached = forceDetach(first)
  t.equal(first.equals(pattern(100)), !isDetached)
  t.equal(read(chunk, 0, 0).length, 0)
  t.ok(read(chunk, 0, 100).equals(pattern(100)))
})

t.test('if a chunk is detached before it is read to its end, the connection fails', async t => {
  const gone = { code: 'WS_ERR_MEMORY_TRANSFERRED', closeCode: 1011, fault: 'local' }
  for (const [size, memory] of [
    [100, 2000],
    [2000, 5000],
    [2000, 2 ** 21]
  ] as const) {
    const chunk = chunkOf(memory, [5, size])
    detach(chunk)
    t.throws(() => read(chunk, 5, size), gone)
    if (size === 100) t.throws(() => smallText(new Frame(Opcode.Text, chunk).within(5, size, 0, 'us')), gone)
  }
  for (const more of [false, true]) {
    const parser = new FrameParser({ masked: false, maxFrameSize: 1e6 })
    const chunk = Buffer.from(new Uint8Array(wire(false, binary('one'), binary('two'))).buffer)
    parser.push(chunk, true)
    t.equal(String(parser.next()!.payload), 'one')
    detach(chunk)
    t.throws(() => (more ? parser.push(Buffer.from('x'), true) : parser.next()), gone)
  }
})
