import t from 'tap'
import { Frame } from '../../lib/protocol/frame.js'
import { Opcode } from '../../lib/protocol/opcode.js'
import { borrow, giveBack } from '../../lib/protocol/output-memory.js'
import { FrameEncoder, type FrameEncoderOptions } from '../../lib/stages/frame-encoder.js'
import { link } from '../../lib/stages/stage.js'
import { ended, VERSIONS } from '../support/draft-frames.js'
import { binary, close, describe, pattern, ping, pong, readWire, text, wire } from '../support/frames.js'
import { all, event, Giver, nextTurn, sink, sourceOf, Taker, test } from './ends.js'

const say = (said: string): Frame => new Frame(Opcode.Text, said)
const nothing = Buffer.alloc(0)
const bytes = (said: string): Buffer => Buffer.from(said)

/** An encoder between two links. */
class Bench {
  readonly giver = new Giver<Frame>()
  readonly wire = new Taker<Buffer>()
  readonly encoder: FrameEncoder
  drains = 0

  constructor(options?: FrameEncoderOptions) {
    this.encoder = new FrameEncoder(options)
    this.encoder.listener = {
      progressed() {},
      drained: () => this.drains++,
      fail: error => this.encoder.destroy(error)
    }
    link(this.giver, this.encoder)
    link(this.encoder, this.wire)
  }

  /** The frames on the wire, write by write. */
  get writes(): string[][] {
    return this.wire.batches.map(batch => readWire(Buffer.concat(batch)).map(describe))
  }

  get sent(): string[] {
    return readWire(Buffer.concat(this.wire.items)).map(describe)
  }
}

for (const role of ['server', 'client'] as const) {
  const who = `a ${role}`

  t.test(`${who} sends the frames of one turn as one write`, async t => {
    const bench = new Bench({ role })
    const { encoder, wire } = bench
    t.ok(encoder.receive([say('a'), say('b')]))
    t.ok(encoder.receive([say('c')]))
    encoder.control(Opcode.Ping, bytes('1'))
    t.same(wire.batches, [], 'not before the turn ends')
    t.equal(encoder.size, sizeOf(role, 4))
    await nextTurn()
    t.equal(encoder.size, 0)
    t.equal(wire.batches.length, 1)
    t.equal(wire.batches[0]!.length, 1)
    encoder.receive([say('d')])
    await nextTurn()
    t.equal(wire.batches.length, 2, 'and those of the next turn as another')
    t.equal(bench.drains, 0)
  })

  t.test(`${who} sends 64 KiB without waiting for the end of the turn`, async t => {
    const bench = new Bench({ role })
    bench.encoder.receive([new Frame(Opcode.Binary, pattern(60_000))])
    t.equal(bench.wire.batches.length, 0)
    bench.encoder.receive([new Frame(Opcode.Binary, pattern(6000))])
    t.equal(bench.wire.batches.length, 1)
    t.same(bench.sent, [binary(pattern(60_000)), binary(pattern(6000))].map(describe))
    await nextTurn()
    t.equal(bench.wire.batches.length, 1)
  })

  t.test(`${who} ${role === 'client' ? 'masks' : 'does not mask'}`, async t => {
    const bench = new Bench({ role })
    bench.encoder.receive([say('a')])
    bench.encoder.close(nothing)
    await nextTurn()
    t.ok(readWire(Buffer.concat(bench.wire.items)).every(({ mask }) => (mask !== null) === (role === 'client')))
  })

  t.test(`${who} holds frames over several turns, and writes them at once when released`, async t => {
    const bench = new Bench({ role })
    bench.encoder.hold()
    bench.encoder.receive([say('a')])
    await nextTurn()
    bench.encoder.receive([say('b')])
    await nextTurn()
    t.same(bench.writes, [])
    bench.encoder.release()
    t.same(bench.writes, [['text 61', 'text 62']])
    bench.encoder.release()
    t.equal(bench.writes.length, 1, 'a release of nothing writes nothing')
    bench.encoder.receive([say('c')])
    await nextTurn()
    t.equal(bench.writes.length, 2, 'and then goes on as ever')
  })

  t.test(`${who} that is held before its turn ends writes nothing at its end`, async t => {
    const bench = new Bench({ role })
    bench.encoder.receive([say('a')])
    bench.encoder.hold()
    await nextTurn()
    t.same(bench.writes, [])
    bench.encoder.release()
    t.same(bench.writes, [['text 61']])
  })

  t.test(`${who} on a blocked wire buffers frames, and asks for no more from its high-water mark on`, async t => {
    // two frames of 500 bytes with their headers fill it exactly
    const highWaterMark = 2 * (role === 'server' ? 504 : 508)
    const bench = new Bench({ role, highWaterMark })
    bench.wire.wants = false
    bench.encoder.receive([say('a')])
    await nextTurn()
    t.ok(bench.encoder.isBlocked, 'the wire says so')
    t.ok(bench.encoder.receive([new Frame(Opcode.Binary, pattern(500))]))
    t.notOk(bench.encoder.receive([new Frame(Opcode.Binary, pattern(500))]))
    t.equal(bench.encoder.size, highWaterMark)
    t.notOk(bench.encoder.receive([say('b')]), 'and keeps to it')
    await nextTurn()
    t.equal(bench.writes.length, 1)

    bench.encoder.proceed()
    t.ok(bench.encoder.isBlocked, 'the wire takes it, and is full again')
    t.equal(bench.writes.length, 2)
    t.equal(bench.giver.asked, 0)
    t.equal(bench.drains, 0)
    bench.wire.proceed()
    t.notOk(bench.encoder.isBlocked)
    t.equal(bench.giver.asked, 1)
    t.equal(bench.drains, 1)
    bench.wire.proceed()
    t.equal(bench.giver.asked, 1, 'asks only where it had refused')
    t.equal(bench.drains, 1, 'and is drained only where it was blocked')
    t.same(bench.sent, ['text 61', describe(binary(pattern(500))), describe(binary(pattern(500))), 'text 62'])
  })

  t.test(`${who} writes nothing while it is blocked, and everything at once afterwards`, async t => {
    const bench = new Bench({ role })
    bench.encoder.block()
    bench.encoder.receive([say('a'), say('b')])
    bench.encoder.control(Opcode.Ping, bytes('1'))
    bench.encoder.release()
    await nextTurn()
    t.same(bench.writes, [])
    bench.encoder.proceed()
    t.same(bench.writes, [['ping 31', 'text 61', 'text 62']])
  })

  t.test(`${who} puts Pings and Pongs ahead of messages that wait`, async t => {
    const bench = new Bench({ role })
    bench.encoder.receive([say('a')])
    t.ok(bench.encoder.control(Opcode.Ping, bytes('1')))
    t.ok(bench.encoder.control(Opcode.Pong, bytes('2'), true))
    bench.encoder.receive([say('b')])
    await nextTurn()
    t.same(bench.sent, ['ping 31', 'pong 32', 'text 61', 'text 62'])
  })

  t.test(
    `A12: ${who} keeps one Pong while the wire is blocked, the newest, and reports that (RFC 6455 §5.5.3)`,
    async t => {
      const bench = new Bench({ role })
      bench.encoder.block()
      t.ok(bench.encoder.control(Opcode.Pong, bytes('first'), true))
      const { size } = bench.encoder
      for (let i = 0; i < 1000; i++) t.notOk(bench.encoder.control(Opcode.Pong, bytes(`no ${i % 10}`), true))
      t.equal(bench.encoder.size, size - 1)
      t.ok(bench.encoder.control(Opcode.Ping, bytes('1')), 'a Ping takes no place')
      t.notOk(bench.encoder.control(Opcode.Pong, bytes('last'), true))
      bench.encoder.proceed()
      t.same(bench.sent, [pong('last'), ping('1')].map(describe))
      t.ok(bench.encoder.control(Opcode.Pong, bytes('next'), true), 'when it has gone, the next one is the first')
      await nextTurn()
      t.same(bench.sent.slice(2), [describe(pong('next'))])
    }
  )

  t.test(`A12: ${who} keeps one Pong after a frame in parts as well`, async t => {
    const bench = new Bench({ role })
    const payload = pattern(20)
    const part = (from: number, to: number): Frame =>
      new Frame(Opcode.Binary, payload.subarray(from, to)).asPart(from, 20)
    bench.encoder.receive([part(0, 10)])
    await nextTurn()
    bench.encoder.block()
    for (let i = 0; i < 100; i++) bench.encoder.control(Opcode.Pong, bytes(`${i}`), true)
    t.ok(bench.encoder.size < 20, `${bench.encoder.size} bytes wait`)
    bench.encoder.receive([part(10, 20)])
    bench.encoder.proceed()
    t.same(bench.sent, [binary(payload), pong('99')].map(describe))
  })

  t.test(`${who} sends a Close after all waiting messages, and nothing after it (RFC 6455 §5.5.1)`, async t => {
    const bench = new Bench({ role })
    bench.encoder.receive([say('a')])
    bench.encoder.close(Buffer.from('03e8', 'hex'))
    t.ok(bench.encoder.receive([say('b')]))
    t.ok(bench.encoder.control(Opcode.Ping, bytes('1')))
    t.ok(bench.encoder.control(Opcode.Pong, bytes('1'), true))
    bench.encoder.close(Buffer.from('03e9', 'hex'))
    await nextTurn()
    bench.encoder.receive([say('c')])
    bench.encoder.control(Opcode.Ping, bytes('2'))
    await nextTurn()
    t.same(bench.sent, ['text 61', describe(close(Buffer.from('03e8', 'hex')))])
  })

  t.test(`${who} sends a Close after everything that waits for a blocked wire`, async t => {
    const bench = new Bench({ role })
    bench.encoder.block()
    bench.encoder.receive([say('a')])
    bench.encoder.control(Opcode.Pong, bytes('1'), true)
    bench.encoder.close(nothing)
    bench.encoder.receive([say('b')])
    t.ok(bench.encoder.control(Opcode.Pong, bytes('2'), true), 'which changes nothing any more')
    bench.encoder.proceed()
    t.same(bench.sent, ['pong 31', 'text 61', 'close'])
  })

  t.test(`${who} sends neither a Close nor anything after it inside a frame in parts`, async t => {
    const bench = new Bench({ role })
    const payload = pattern(20)
    const part = (from: number, to: number): Frame =>
      new Frame(Opcode.Binary, payload.subarray(from, to)).asPart(from, 20)
    bench.encoder.receive([part(0, 10)])
    await nextTurn()
    bench.encoder.control(Opcode.Ping, bytes('1'))
    bench.encoder.close(nothing)
    bench.encoder.receive([part(10, 20)])
    await nextTurn()
    t.same(bench.sent, [binary(payload), ping('1'), close()].map(describe))
  })

  t.test(`${who} ends the wire after everything that waits, and sends nothing more`, async t => {
    const bench = new Bench({ role })
    bench.encoder.receive([say('a')])
    bench.encoder.finish()
    t.same(bench.sent, ['text 61'])
    t.equal(bench.wire.ends, 1)
    bench.encoder.receive([say('b')])
    bench.encoder.close(nothing)
    bench.encoder.control(Opcode.Ping, nothing)
    await nextTurn()
    t.same(bench.sent, ['text 61'])
    t.equal(bench.wire.ends, 1)
  })

  t.test(`${who} with nothing to send ends the wire at once`, async t => {
    const bench = new Bench({ role })
    bench.encoder.finish()
    t.equal(bench.wire.ends, 1)
    t.same(bench.wire.batches, [])
  })

  t.test(`${who} ends a blocked wire when it has taken everything`, async t => {
    const bench = new Bench({ role })
    bench.encoder.block()
    bench.encoder.receive([say('a')])
    bench.encoder.finish()
    t.equal(bench.wire.ends, 0)
    bench.encoder.proceed()
    t.same(bench.sent, ['text 61'])
    t.equal(bench.wire.ends, 1)
  })

  test(`${who}, as a stream, encodes batches of frames, and then ends`, async t => {
    const encoder = new FrameEncoder({ role })
    const source = sourceOf([[say('a'), say('b')], [say('c')], [new Frame(Opcode.Binary, pattern(70_000))]], true)
    const chunks = (await all(source.pipe(encoder))) as Buffer[]
    const expected = [text('a'), text('b'), text('c'), binary(pattern(70_000))]
    t.same(readWire(Buffer.concat(chunks)).map(describe), expected.map(describe))
  })

  test(`${who}, as a stream, loses nothing if the reader is slow`, async t => {
    for (const size of [10, 1000, 10_000, 50_000]) {
      const batches = Array.from({ length: 40 }, (_, i) => [new Frame(Opcode.Binary, pattern(size + i))])
      const taken = sink({ slow: true })
      sourceOf(batches, true).pipe(new FrameEncoder({ role })).pipe(taken)
      await event(taken, 'finish')
      const frames = readWire(Buffer.concat(taken.items as Buffer[]))
      t.equal(frames.length, 40, `${size} bytes each`)
      t.ok(frames.every(({ payload }, i) => payload.equals(pattern(size + i))))
    }
  })

  test(`A17: ${who}, as an unread stream, takes no more than about its high-water mark`, async t => {
    const encoder = new FrameEncoder({ role, highWaterMark: 65536 })
    let taken = 0
    while (taken < 1000 && encoder.write([new Frame(Opcode.Binary, pattern(10_000))])) taken++
    await nextTurn()
    while (taken < 1000 && encoder.write([new Frame(Opcode.Binary, pattern(10_000))])) taken++
    t.ok(taken < 60, `${taken} frames of 10000 bytes`)
    encoder.end()
    const frames = readWire(Buffer.concat((await all(encoder)) as Buffer[]))
    t.ok(frames.length >= taken, 'and all of it comes out')
  })
}

function sizeOf(role: 'server' | 'client', frames: number): number {
  return wire(role === 'client', ...Array.from({ length: frames }, () => text('x'))).length
}

t.test('by default it is a server that buffers 64 KiB for a blocked wire', async t => {
  const bench = new Bench()
  bench.encoder.block()
  t.ok(bench.encoder.receive([new Frame(Opcode.Binary, pattern(65536 - 5))]))
  t.notOk(bench.encoder.receive([say('x')]))
  bench.encoder.proceed()
  t.equal(readWire(Buffer.concat(bench.wire.items))[0]!.mask, null)
})

t.test('it needs no listener', async t => {
  const encoder = new FrameEncoder()
  const taker = new Taker<Buffer>()
  link(encoder, taker)
  encoder.block()
  encoder.receive([say('a')])
  encoder.proceed()
  t.equal(taker.batches.length, 1)
})

t.test('invalid options are a RangeError or a TypeError at once', async t => {
  for (const wrong of [-1, Number.NaN]) t.throws(() => new FrameEncoder({ highWaterMark: wrong }), RangeError)
  t.throws(() => new FrameEncoder({ highWaterMark: '5' as unknown as number }), TypeError)
  t.throws(() => new FrameEncoder({ role: 'serving' as 'server' }), TypeError)
})

for (const version of VERSIONS) {
  t.test(`${version}: callbacks wait for their own frames after the switch, and binary ones get an error`, async t => {
    const { encoder, wire } = new Bench()
    const told: string[] = []
    const note = (what: string) => (error?: Error | null) => told.push(error ? `${what}: ${error.message}` : what)
    encoder.block()
    encoder.control(Opcode.Ping, bytes('urgent'))
    encoder.whenWritten(note('urgent'))
    encoder.receive([new Frame(Opcode.Ping, bytes('in order'))])
    encoder.whenWritten(note('ping'))
    encoder.receive([new Frame(Opcode.Binary, bytes('binary'))])
    encoder.whenWritten(note('binary'))
    encoder.receive([say('a')])
    encoder.whenWritten(note('a'))
    encoder.receive([new Frame(Opcode.Binary, pattern(2 ** 20 + 1))])
    encoder.whenWritten(note('in parts'))
    encoder.receive([say('b')])
    encoder.whenWritten(note('b'))
    encoder.speak(version)
    t.same(told, [], 'nothing is called during the switch')
    await nextTurn()
    const dropped = 'hixie-75 and hixie-76 have no binary messages'
    t.same(told, ['urgent', 'ping', `binary: ${dropped}`])
    encoder.proceed()
    t.same(Buffer.concat(wire.items), Buffer.concat([ended('a'), ended('b')]))
    t.same(told.slice(3), ['a', `in parts: ${dropped}`, 'b'])
  })
}

t.test('without a wire, data that was passed on counts as written', async t => {
  const bench = new Bench()
  let calls = 0
  bench.encoder.receive([new Frame(Opcode.Text, 'a')])
  bench.encoder.whenWritten(() => calls++)
  t.equal(calls, 0)
  await nextTurn()
  t.equal(calls, 1)
  bench.encoder.whenWritten(() => calls++)
  t.equal(calls, 2)
})

t.test(
  'after a full wire it asks for more only when everything is written: messages may lie in memory of the application',
  async t => {
    const bench = new Bench({ highWaterMark: 100 })
    const wire = {
      isSocket: true,
      hasWrittenAll: false,
      onWritten: null as ((error?: Error | null) => void) | null,
      expectWritten() {}
    }
    bench.encoder.setWire(wire)
    bench.encoder.block()
    // from this size on a socket gets the memory of the message itself
    const message = pattern(50_000)
    t.notOk(bench.encoder.receive([new Frame(Opcode.Binary, message)]))
    bench.wire.proceed()
    t.ok(bench.wire.items.some(({ buffer }) => buffer === message.buffer))
    t.notOk(bench.encoder.isBlocked, 'the wire has taken it, but not written it')
    t.equal(bench.giver.asked, 0)
    wire.onWritten!(null)
    t.equal(bench.giver.asked, 1)
  }
)

t.test('a wire that throws does not keep the output memory from being lent again', async t => {
  const encoder = new FrameEncoder()
  encoder.setWire({ isSocket: true, hasWrittenAll: true, onWritten: null, expectWritten() {} })
  let isBroken = false
  const written: Buffer[] = []
  link(encoder, {
    receive(buffers: readonly Buffer[]): boolean {
      written.push(...buffers)
      if (isBroken) throw new Error('broken')
      return true
    },
    finish() {}
  })
  const frames = Array.from({ length: 5 }, () => new Frame(Opcode.Binary, pattern(1000)))
  // the encoder uses the memory only after a socket has taken a whole write
  for (let i = 0; i < 2; i++) {
    encoder.receive(frames)
    encoder.flush()
  }
  isBroken = true
  encoder.receive(frames)
  t.throws(() => encoder.flush(), { message: 'broken' })
  t.equal(written[2]!.buffer, written[1]!.buffer, 'the write that threw used the shared memory')
  const first = borrow(5000)
  t.not(first.buffer, written[2]!.buffer, 'the wire may still use that')
  giveBack(first, true)
  const second = borrow(5000)
  t.equal(second.buffer, first.buffer)
  giveBack(second, true)
})

t.test('used on its own, it is destroyed if the memory of a message that waits was transferred', async t => {
  for (const isHeard of [true, false]) {
    const encoder = new FrameEncoder()
    const memory = new Uint8Array(1000)
    const failed: unknown[] = []
    encoder.write(new Frame(Opcode.Binary, Buffer.alloc(60_000)))
    t.equal(encoder.isBlocked, true)
    encoder.receive([new Frame(Opcode.Binary, memory)])
    if (isHeard) encoder.whenWritten(error => failed.push(error))
    structuredClone(memory, { transfer: [memory.buffer] })
    encoder.resume()
    t.match(await event(encoder, 'error'), { code: 'WS_ERR_MEMORY_TRANSFERRED' })
    t.match(failed, isHeard ? [{ code: 'WS_ERR_MEMORY_TRANSFERRED' }] : [])
  }
})
