import t from 'tap'
import type { WebSocketError } from '../../lib/errors.js'
import type { Frame } from '../../lib/protocol/frame.js'
import type { Opcode } from '../../lib/protocol/opcode.js'
import { FrameDecoder, type FrameDecoderOptions } from '../../lib/stages/frame-decoder.js'
import { link } from '../../lib/stages/stage.js'
import { FRAME_CASES, MASK_CASES } from '../protocol/frame-cases.js'
import { BEHIND, Gatherer, inAllWays, type Outcome, SIDES, type Side } from '../protocol/ways.js'
import {
  BINARY,
  binary,
  bytesOf,
  close,
  describe,
  header,
  pattern,
  ping,
  pong,
  text,
  type WireFrame,
  wire
} from '../support/frames.js'
import { all, describeFrame, event, Giver, nextTurn, sourceOf, Taker, test } from './ends.js'

/** A decoder between two links, and its output in one list. */
class Bench {
  readonly giver = new Giver<Buffer>()
  readonly taker = new Taker<Frame>()
  readonly decoder: FrameDecoder
  readonly order: string[] = []
  /** The result of `control`. */
  wants = true
  failure: WebSocketError | undefined

  constructor(options?: FrameDecoderOptions) {
    this.decoder = new FrameDecoder(options)
    this.decoder.listener = this
    this.taker.meanwhile = () => {
      const batch = this.taker.batches.at(-1)!
      this.order.push(batch.length > 4 ? `${batch.length} frames` : batch.map(describeFrame).join())
    }
    link(this.giver, this.decoder)
    link(this.decoder, this.taker)
  }

  control(opcode: Opcode, payload: Buffer): boolean {
    this.order.push(describe({ opcode, payload: bytesOf(payload), fin: true, rsv: 0 }))
    return this.wants
  }

  /** The result of `holdsClose`. */
  holds = false

  holdsClose(): boolean {
    return this.holds
  }

  fail(error: WebSocketError): void {
    this.failure = error
    this.order.push(error.code)
  }
}

/** Feeds a decoder, and continues after an error. */
function read(side: Side, chunks: Buffer[], owned: boolean, maxFrameSize?: number, rsv = 0): Outcome {
  const decoder = new FrameDecoder({ role: side.role, maxFrameSize: maxFrameSize ?? Number.POSITIVE_INFINITY })
  const gatherer = new Gatherer()
  const outcome: Outcome = { got: gatherer.got, fed: 0 }
  let fed = 0
  decoder.ownsInput = owned
  decoder.allowedRsv = rsv
  decoder.listener = {
    control(opcode, payload) {
      gatherer.got.push(describe({ opcode, payload: bytesOf(payload), fin: true, rsv: 0 }))
      return true
    },
    holdsClose: () => false,
    fail(error) {
      if (outcome.error !== undefined) throw new Error('a second fault')
      outcome.error = error.code
      outcome.fed = fed
    }
  }
  link(decoder, {
    receive(batch: readonly Frame[]) {
      for (const frame of batch) gatherer.take(frame)
      return true
    },
    finish() {}
  })
  for (const chunk of chunks) {
    fed += chunk.length
    if (!decoder.receive([chunk])) throw new Error('more was always wanted')
  }
  return outcome
}

for (const { says, maxFrameSize, rsv, ...arrival } of FRAME_CASES) {
  t.test(says, async t => {
    inAllWays(t, arrival, arrival.frames.map(describe), describe(BEHIND), (side, chunks, owned) =>
      read(side, chunks, owned, maxFrameSize, rsv)
    )
  })
}

for (const { opcode, frames, wrong } of MASK_CASES) {
  for (const [role, error, says] of [
    ['server', 'WS_ERR_EXPECTED_MASK', 'a server refuses an unmasked frame'],
    ['client', 'WS_ERR_UNEXPECTED_MASK', 'a client refuses a masked frame']
  ] as const) {
    t.test(`${says}: opcode ${opcode}`, async t => {
      inAllWays(t, { frames, wrong, error }, frames.map(describe), '', (side, chunks, owned) =>
        side.role === role ? read(side, chunks, owned) : { got: frames.map(describe), error, fed: 0 }
      )
    })
  }
}

for (const [who, { role, masked }] of Object.entries(SIDES)) {
  const bytes = (...frames: WireFrame[]): Buffer => wire(masked, ...frames)

  t.test(`${who} passes all frames of a chunk on as one batch`, async t => {
    const bench = new Bench({ role })
    t.ok(bench.decoder.receive([bytes(text('a'), text('b'), binary('c'))]))
    t.ok(bench.decoder.receive([bytes(text('d')), bytes(text('e'))]), 'and those of several chunks likewise')
    t.same(bench.order, ['text 61,text 62,binary 63', 'text 64,text 65'])
    t.equal(bench.taker.batches.length, 2)
  })

  t.test(`${who} acts on a control frame at once: after the data before it, before the data after it`, async t => {
    const bench = new Bench({ role })
    bench.decoder.receive([bytes(ping('1'), text('a', false), ping('2'), pong('3'), text('b'), close(''))])
    t.same(bench.order, ['ping 31', 'text+ 61', 'ping 32', 'pong 33', 'text 62', 'close'])
  })

  t.test(`${who} acts on a control frame at once, even if the next frame has not arrived`, async t => {
    const bench = new Bench({ role })
    const whole = bytes(text('a', false), ping('1'), binary(pattern(1000)))
    bench.decoder.receive([whole.subarray(0, whole.length - 999)])
    t.same(bench.order.slice(0, 2), ['text+ 61', 'ping 31'])
  })

  t.test(`${who} reports an error after everything before it, and drops everything after it`, async t => {
    const bench = new Bench({ role })
    const wrong = header(masked, { ...text(''), opcode: 3 })
    t.ok(bench.decoder.receive([Buffer.concat([bytes(text('a'), ping('1'), text('b')), wrong, bytes(text('c'))])]))
    t.ok(bench.decoder.receive([bytes(text('d'), ping('2'))]))
    t.same(bench.order, ['text 61', 'ping 31', 'text 62', 'WS_ERR_INVALID_OPCODE'])
    t.match(bench.failure, { closeCode: 1002, fault: 'peer' })
  })

  t.test(`${who} stops inside a chunk when downstream is full, and continues later`, async t => {
    const bench = new Bench({ role })
    const payloads = Array.from({ length: 3000 }, (_, i) => `${i}`)
    bench.taker.wants = false
    t.notOk(bench.decoder.receive([bytes(...payloads.map(payload => text(payload)))]))
    t.ok(bench.decoder.isBlocked)
    const [first] = bench.taker.batches
    t.ok(first!.length < 3000, `${first!.length} of 3000`)
    t.equal(bench.giver.asked, 0)
    bench.decoder.proceed()
    t.ok(bench.decoder.isBlocked, 'as often as need be')
    t.notOk(bench.decoder.receive([bytes(text('later'))]), 'what comes meanwhile waits')
    t.equal(bench.giver.asked, 0)
    bench.taker.proceed()
    t.notOk(bench.decoder.isBlocked)
    t.equal(bench.giver.asked, 1, 'more is asked for once, when all is used up')
    t.same(
      bench.taker.items.map(frame => frame.payload.toString()),
      [...payloads, 'later']
    )
  })

  t.test(`${who} stops after a control frame if the listener asks it to, and continues later`, async t => {
    const bench = new Bench({ role })
    bench.wants = false
    t.notOk(bench.decoder.receive([bytes(text('a'), ping('1'), text('b'), ping('2'), text('c'))]))
    t.same(bench.order, ['text 61', 'ping 31'])
    t.ok(bench.decoder.isBlocked)
    bench.decoder.proceed()
    t.same(bench.order.slice(2), ['text 62', 'ping 32'])
    bench.wants = true
    bench.decoder.proceed()
    t.same(bench.order.slice(4), ['text 63'])
    t.equal(bench.giver.asked, 1)
  })

  t.test(`${who} acts on a control frame after data that filled downstream, and then stops`, async t => {
    const bench = new Bench({ role })
    bench.taker.wants = false
    t.notOk(bench.decoder.receive([bytes(text('a'), ping('1'), text('b'))]))
    t.same(bench.order, ['text 61', 'ping 31'])
    bench.taker.proceed()
    t.same(bench.order, ['text 61', 'ping 31', 'text 62'])
  })

  t.test(`${who} drops the rest of a chunk if it is stopped inside it`, async t => {
    const byControl = new Bench({ role })
    byControl.decoder.listener = {
      control() {
        byControl.decoder.stop()
        return true
      },
      holdsClose: () => false,
      fail: () => t.fail('a fault after the end')
    }
    t.ok(
      byControl.decoder.receive([Buffer.concat([bytes(text('a'), close(''), text('b')), Buffer.from([0xff, 0xff])])])
    )
    t.same(byControl.order, ['text 61'])
    t.ok(byControl.decoder.receive([bytes(text('c'))]))
    t.same(byControl.order, ['text 61'])
    t.notOk(byControl.decoder.isBlocked)

    const byTaker = new Bench({ role })
    byTaker.taker.meanwhile = () => byTaker.decoder.stop()
    t.ok(byTaker.decoder.receive([bytes(text('a'), ping('1'), text('b'))]))
    t.same(byTaker.taker.items.map(describeFrame), ['text 61'])
    t.same(byTaker.order, [], 'a control frame behind it is not acted on')
  })

  t.test(`${who} that is stopped while downstream is full asks for more input, and drops it`, async t => {
    const bench = new Bench({ role })
    bench.taker.wants = false
    t.notOk(bench.decoder.receive([bytes(text('a'), ping('1'), text('b'))]))
    t.equal(bench.giver.asked, 0)
    bench.decoder.stop()
    t.equal(bench.giver.asked, 1)
    t.ok(bench.decoder.receive([bytes(text('c'), ping('2'))]))
    bench.taker.proceed()
    t.same(bench.order, ['text 61', 'ping 31'])
    t.equal(bench.giver.asked, 1)
  })

  t.test(`${who} reports no error once it is stopped`, async t => {
    const bench = new Bench({ role })
    bench.taker.meanwhile = () => bench.decoder.stop()
    t.ok(bench.decoder.receive([Buffer.concat([bytes(text('a')), Buffer.from([0xff, 0xff])])]))
    t.equal(bench.failure, undefined)
  })

  t.test(`${who} passes the end on after everything that waits`, async t => {
    const ready = new Bench({ role })
    ready.decoder.receive([bytes(text('a'))])
    ready.decoder.finish()
    t.equal(ready.taker.ends, 1)

    const blocked = new Bench({ role })
    blocked.wants = false
    blocked.decoder.receive([bytes(ping('1'), text('a'), ping('2'), text('b'))])
    blocked.decoder.finish()
    t.equal(blocked.taker.ends, 0)
    blocked.decoder.proceed()
    t.equal(blocked.taker.ends, 0)
    blocked.wants = true
    blocked.decoder.proceed()
    t.equal(blocked.taker.ends, 1)
    t.same(blocked.order, ['ping 31', 'text 61', 'ping 32', 'text 62'])
    t.equal(blocked.giver.asked, 0, 'and asks for no more')

    const stopped = new Bench({ role })
    stopped.decoder.stop()
    stopped.decoder.finish()
    t.equal(stopped.taker.ends, 1)
  })

  t.test(`${who} passes on an end that arrives during its work after that work`, async t => {
    const bench = new Bench({ role })
    const ends: number[] = []
    bench.taker.meanwhile = () => {
      ends.push(bench.taker.ends)
      if (ends.length === 1) bench.decoder.finish()
    }
    bench.decoder.receive([bytes(text('a'), ping('1'), text('b'))])
    t.same(bench.taker.items.map(describeFrame), ['text 61', 'text 62'])
    t.same(ends, [0, 0])
    t.equal(bench.taker.ends, 1)
  })

  t.test(`${who} accepts bytes that arrive during its work`, async t => {
    const bench = new Bench({ role })
    const tell = bench.taker.meanwhile!
    bench.taker.meanwhile = () => {
      tell()
      if (bench.taker.batches.length === 1) t.ok(bench.decoder.receive([bytes(text('c'))]))
    }
    bench.decoder.receive([bytes(text('a'), ping('1'), text('b'))])
    t.same(bench.order, ['text 61', 'ping 31', 'text 62,text 63'])
  })

  t.test(`${who} does nothing if asked to proceed while it is not blocked`, async t => {
    const bench = new Bench({ role })
    bench.decoder.proceed()
    t.equal(bench.giver.asked, 0)
  })

  t.test(`A23: ${who} refuses a control frame with a bit that is negotiated for messages (RFC 7692 §6)`, async t => {
    for (const frame of [ping('1'), pong('2'), close('')]) {
      const bench = new Bench({ role })
      bench.decoder.allowedRsv = 4
      bench.decoder.receive([bytes({ ...text('a'), rsv: 4 }, { ...frame, rsv: 4 })])
      t.same(bench.order, ['text rsv 4 61', 'WS_ERR_UNEXPECTED_RSV'])
    }
  })

  t.test(`A30: ${who} passes on no control payload that keeps its chunk alive`, async t => {
    for (const mask of [undefined, Buffer.alloc(4)]) {
      const frames = bytes({ ...ping('small'), ...(mask && { mask }) })
      const chunk = Buffer.from(new ArrayBuffer(2 ** 20), 0, frames.length)
      frames.copy(chunk)
      const decoder = new FrameDecoder({ role })
      const payloads: Buffer[] = []
      decoder.listener = {
        control: (_, payload) => payloads.push(payload) > 0,
        holdsClose: () => false,
        fail: () => {}
      }
      decoder.receive([chunk])
      t.equal(payloads[0]!.toString(), 'small')
      t.not(payloads[0]!.buffer.byteLength, 2 ** 20, mask ? 'a mask of zeros' : 'the mask of this side')
    }
  })

  t.test(`${who} holds a Close if asked, until the messages before it have been read and may be answered`, async t => {
    const bench = new Bench({ role })
    bench.holds = true
    bench.taker.wants = false
    bench.decoder.receive([bytes(text('a'), close(''))])
    bench.decoder.finish()
    t.same(bench.order, ['text 61'])
    bench.taker.wants = true
    bench.taker.proceed()
    t.same(bench.order, ['text 61'], 'the rest of this turn is for an answer')
    await new Promise(setImmediate)
    t.same(bench.order, ['text 61', 'close'])
  })

  t.test(`${who} releases a held Close once`, async t => {
    const bench = new Bench({ role })
    bench.holds = true
    bench.taker.wants = false
    bench.decoder.receive([bytes(text('a'), close(''))])
    bench.decoder.releaseClose()
    bench.decoder.releaseClose()
    t.same(bench.order, ['text 61', 'close'])
    bench.taker.wants = true
    bench.taker.proceed()
    await new Promise(setImmediate)
    t.same(bench.order, ['text 61', 'close'])
  })

  test(`${who}, on its own, passes control frames on with the others`, async t => {
    const source = sourceOf([bytes(text('a'), ping('1'), text('b'), close('')), bytes(pong('2'))])
    const frames = (await all(source.pipe(new FrameDecoder({ role })))) as Frame[]
    t.same(frames.map(describeFrame), [text('a'), ping('1'), text('b'), close(''), pong('2')].map(describe))
  })

  test(`${who}, on its own, is destroyed by an error of the peer with the WebSocketError, after everything before it`, async t => {
    const decoder = new FrameDecoder({ role })
    const got: Frame[] = []
    decoder.on('data', batch => got.push(...batch))
    const failed = event(decoder, 'error')
    decoder.write(
      Buffer.concat([bytes(text('a'), text('b')), header(masked, { ...text(''), rsv: 1 }), bytes(text('c'))])
    )
    t.match(await failed, { name: 'WebSocketError', code: 'WS_ERR_UNEXPECTED_RSV', closeCode: 1002 })
    await nextTurn()
    t.same(got.map(describeFrame), ['text 61', 'text 62'])
    t.ok(decoder.destroyed)
  })
}

t.test('by default it is a server that accepts frames of up to 2^26-1 bytes', async t => {
  const announced = (length: bigint): Buffer =>
    header(true, { opcode: BINARY, payload: Buffer.alloc(0), fin: true, rsv: 0, length })
  const bench = new Bench()
  bench.decoder.receive([announced(2n ** 26n - 1n)])
  t.equal(bench.failure, undefined)
  const other = new Bench({})
  other.decoder.receive([announced(2n ** 26n)])
  t.match(other.failure, { code: 'WS_ERR_FRAME_TOO_LARGE', closeCode: 1009 })
})

t.test('an exception downstream is not taken for an error of the peer', async t => {
  for (const frames of [[text('a')], [text('a'), ping('1')]]) {
    const bench = new Bench()
    bench.taker.meanwhile = () => {
      throw new RangeError('a fault downstream')
    }
    t.throws(() => bench.decoder.receive([wire(true, ...frames)]), { message: 'a fault downstream' })
    t.equal(bench.failure, undefined)
  }
})

t.test('an exception downstream does not stop it for good, while bytes pile up', async t => {
  const bench = new Bench()
  const tell = bench.taker.meanwhile
  bench.taker.meanwhile = () => {
    throw new RangeError('a fault downstream')
  }
  t.throws(() => bench.decoder.receive([wire(true, text('a'))]))
  bench.taker.meanwhile = tell
  bench.decoder.receive([wire(true, text('b'))])
  await nextTurn()
  t.same(bench.order, ['text 62'])
})

t.test('invalid limits are a RangeError or a TypeError at once', async t => {
  for (const wrong of [-1, Number.NaN]) t.throws(() => new FrameDecoder({ maxFrameSize: wrong }), RangeError)
  t.throws(() => new FrameDecoder({ maxFrameSize: '5' as unknown as number }), TypeError)
  t.throws(() => new FrameDecoder({ role: 'serving' as 'server' }), TypeError)
})
