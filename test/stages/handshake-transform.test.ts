import { PassThrough } from 'node:stream'
import t from 'tap'
import { HandshakeError } from '../../lib/errors.js'
import { FrameDecoder } from '../../lib/stages/frame-decoder.js'
import { FrameEncoder } from '../../lib/stages/frame-encoder.js'
import { type HandshakeReader, HandshakeTransform } from '../../lib/stages/handshake-transform.js'
import { MessageAssembler } from '../../lib/stages/message-assembler.js'
import { link } from '../../lib/stages/stage.js'
import { byteByByte, text, wire } from '../support/frames.js'
import { all, event, Giver, nextTurn, passing, sink, sourceOf, Taker, test } from './ends.js'

const bytes = (said: string): Buffer => Buffer.from(said)

/** A head that ends with a dot; a question mark makes it invalid. */
class Head implements HandshakeReader {
  head = ''
  ends = 0
  /** Called by `complete`. */
  done: () => void = () => {}
  /** Thrown by `end`. */
  atEnd: Error | null = new HandshakeError('WS_ERR_CONNECTION_LOST')

  receive(chunk: Buffer): Buffer | null {
    if (chunk.includes('?')) throw new HandshakeError('WS_ERR_MALFORMED_HEAD')
    const dot = chunk.indexOf('.')
    this.head += chunk.subarray(0, dot < 0 ? chunk.length : dot).toString()
    return dot < 0 ? null : chunk.subarray(dot + 1)
  }

  complete(): void {
    this.done()
  }

  end(): void {
    this.ends++
    if (this.atEnd !== null) throw this.atEnd
  }
}

/** A HandshakeTransform between two links. */
class Bench {
  readonly giver = new Giver<Buffer>()
  readonly taker = new Taker<Buffer>()
  readonly stage: HandshakeTransform
  readonly errors: string[] = []

  constructor(reader: HandshakeReader | null = null, limit = 0) {
    this.stage = new HandshakeTransform(reader, limit)
    this.stage.listener = { fail: error => this.errors.push(error.code) }
    link(this.giver, this.stage)
    link(this.stage, this.taker)
  }

  get passed(): string {
    return Buffer.concat(this.taker.items).toString()
  }
}

t.test('without a reader it buffers all input, and asks for no more until it is opened', async t => {
  const bench = new Bench()
  t.notOk(bench.stage.receive([bytes('a'), bytes('b')]))
  t.notOk(bench.stage.receive([bytes('c')]))
  t.equal(bench.passed, '')
  bench.stage.open()
  t.equal(bench.passed, 'abc')
  t.equal(bench.giver.asked, 1)
})

t.test('with a limit it buffers that many bytes before it asks for no more, all as copies', async t => {
  const bench = new Bench(null, 4)
  const memory = bytes('abc')
  t.ok(bench.stage.receive([memory]))
  memory.fill('x')
  t.notOk(bench.stage.receive([bytes('d')]))
  bench.stage.open()
  t.equal(bench.passed, 'abcd')
  t.equal(bench.giver.asked, 1)
})

t.test('a full reader gets no more until it asks for it', async t => {
  const reader = Object.assign(new Head(), { isFull: false })
  const bench = new Bench(reader)
  t.ok(bench.stage.receive([bytes('a')]))
  bench.stage.resumeInput()
  t.equal(bench.giver.asked, 0, 'nobody was told to wait')
  reader.isFull = true
  t.notOk(bench.stage.receive([bytes('b')]))
  bench.stage.resumeInput()
  t.equal(bench.giver.asked, 0)
  reader.isFull = false
  bench.stage.resumeInput()
  t.equal(bench.giver.asked, 1)
  t.equal(reader.head, 'ab')
})

t.test('an exception after the head is not taken for an error of the peer', async t => {
  const reader = new Head()
  reader.done = () => {
    throw new HandshakeError('WS_ERR_REJECTED')
  }
  const bench = new Bench(reader)
  t.throws(() => bench.stage.receive([bytes('a.b')]), { code: 'WS_ERR_REJECTED' })
  t.same(bench.errors, [])
  bench.stage.open()
  t.equal(bench.passed, 'b')
})

t.test('a reader that is set after the end of the wire gets the end', async t => {
  const bench = new Bench(null, 10)
  bench.stage.finish()
  const reader = new Head()
  bench.stage.readOn(reader)
  t.equal(reader.ends, 1)
  t.same(bench.errors, ['WS_ERR_CONNECTION_LOST'])
})

t.test('an error that is not a HandshakeError is thrown', async t => {
  const reader = new Head()
  reader.receive = () => {
    throw new Error('oops')
  }
  t.throws(() => new Bench(reader).stage.receive([bytes('a')]), { message: 'oops' })
})

t.test('buffered bytes can be taken out', async t => {
  const bench = new Bench(null, 10)
  bench.stage.keep(bytes('a'))
  bench.stage.receive([bytes('b')])
  t.equal(Buffer.concat(bench.stage.takeHeld()).toString(), 'ab')
  bench.stage.open()
  t.equal(bench.passed, '')
})

t.test('opened, it leaves the pipeline: its neighbours are linked, and it refers to neither', async t => {
  const bench = new Bench()
  bench.stage.open()
  t.equal(bench.giver.next, bench.taker)
  t.equal(bench.taker.prev, bench.giver)
  t.equal(bench.stage.next, null)
  t.equal(bench.stage.prev, null)
  t.notOk(bench.stage.isBuilt)
  bench.stage.open()
  t.equal(bench.giver.asked, 1, 'a second time does nothing')
  bench.giver.next!.receive([bytes('a')])
  bench.giver.next!.finish()
  t.equal(bench.passed, 'a')
  t.equal(bench.taker.ends, 1)
})

t.test('the reader gets the head in pieces of any size, and the bytes after it are kept', async t => {
  for (const pieces of [[bytes('the head.behind')], byteByByte(bytes('the head.behind'))]) {
    for (const atOnce of [true, false]) {
      const head = new Head()
      const bench = new Bench(head)
      if (atOnce) bench.stage.receive(pieces)
      else for (const piece of pieces) bench.stage.receive([piece])
      t.equal(head.head, 'the head')
      t.equal(bench.passed, '')
      bench.stage.open()
      t.equal(bench.passed, 'behind')
    }
  }
})

t.test('while the head arrives it asks for more, and then for no more until it is opened', async t => {
  const bench = new Bench(new Head())
  t.ok(bench.stage.receive([bytes('the he')]))
  t.notOk(bench.stage.receive([bytes('ad.')]))
  t.notOk(bench.stage.receive([bytes('behind')]))
  bench.stage.open()
  t.equal(bench.passed, 'behind')
  t.equal(bench.giver.asked, 1)
})

t.test('it may be opened inside the head: the rest passes at once', async t => {
  const head = new Head()
  const bench = new Bench(head)
  head.done = () => bench.stage.open()
  t.ok(bench.stage.receive([bytes('the head.behind')]))
  t.equal(bench.passed, 'behind')
  t.equal(bench.giver.next, bench.taker)

  const full = new Head()
  const blocked = new Bench(full)
  full.done = () => blocked.stage.open()
  blocked.taker.wants = false
  t.notOk(blocked.stage.receive([bytes('the head.behind')]), 'what is downstream says whether more is wanted')
  t.equal(blocked.giver.asked, 0)
})

t.test('pieces of one batch after the head follow it in order, even if it is opened between them', async t => {
  const head = new Head()
  const bench = new Bench(head)
  head.done = () => bench.stage.open()
  bench.stage.receive([bytes('the head.a'), bytes('b'), bytes('c')])
  t.equal(bench.passed, 'abc')
})

t.test('if the kept bytes fill downstream, it asks for no more', async t => {
  const bench = new Bench()
  bench.stage.receive([bytes('a')])
  bench.taker.wants = false
  bench.stage.open()
  t.equal(bench.passed, 'a')
  t.equal(bench.giver.asked, 0)
  bench.taker.proceed()
  t.equal(bench.giver.asked, 1)
})

t.test('bytes after a head that other code has read go first', async t => {
  const bench = new Bench()
  bench.stage.keep(bytes('a'))
  bench.stage.keep(Buffer.alloc(0))
  bench.stage.receive([bytes('b')])
  bench.stage.open()
  t.equal(bench.passed, 'ab')
  t.equal(bench.taker.batches.length, 1)
})

t.test('bytes of the handshake itself are not held back', async t => {
  const bench = new Bench()
  bench.stage.receive([bytes('a frame')])
  t.ok(bench.stage.send(bytes('the head ')))
  t.equal(bench.passed, 'the head ')
  bench.taker.wants = false
  t.notOk(bench.stage.send(bytes('and more ')))
  bench.stage.open()
  t.equal(bench.passed, 'the head and more a frame')
})

t.test('an invalid head is reported to the listener, and all input after it is dropped', async t => {
  const bench = new Bench(new Head())
  t.ok(bench.stage.receive([bytes('the'), bytes('?'), bytes('head.x')]))
  t.same(bench.errors, ['WS_ERR_MALFORMED_HEAD'])
  t.ok(bench.stage.receive([bytes('more')]))
  bench.stage.open()
  t.equal(bench.passed, '')
  t.same(bench.errors, ['WS_ERR_MALFORMED_HEAD'])
})

t.test('an exception of the reader that is not a HandshakeError is thrown', async t => {
  const head = new Head()
  head.done = () => {
    throw new RangeError('a fault of ours')
  }
  const bench = new Bench(head)
  t.throws(() => bench.stage.receive([bytes('head.')]), { message: 'a fault of ours' })
  t.same(bench.errors, [])
})

t.test('discarded, it accepts and drops all input, even inside the head', async t => {
  const bench = new Bench()
  bench.stage.discard()
  t.ok(bench.stage.receive([bytes('a')]))
  bench.stage.open()
  t.equal(bench.passed, '')
  const head = new Head()
  const other = new Bench(head)
  head.done = () => other.stage.discard()
  t.ok(other.stage.receive([bytes('head.behind')]))
  t.equal(other.passed, '')
  other.stage.proceed()
  t.equal(other.giver.asked, 1, 'and asks for more to drop')
})

t.test('discarded while it holds back as much as it may, it asks for more at once', async t => {
  const bench = new Bench()
  t.notOk(bench.stage.receive([bytes('kept')]))
  t.equal(bench.giver.asked, 0)
  bench.stage.discard()
  t.equal(bench.giver.asked, 1)
  t.ok(bench.stage.receive([bytes('dropped')]))
  t.equal(bench.passed, '')
})

t.test('an end before the head is complete is checked by the reader, and passed on', async t => {
  const head = new Head()
  const bench = new Bench(head)
  bench.stage.receive([bytes('the he')])
  bench.stage.finish()
  t.equal(head.ends, 1)
  t.same(bench.errors, ['WS_ERR_CONNECTION_LOST'])
  t.equal(bench.taker.ends, 1)
})

t.test('an end that the reader accepts waits until it is opened', async t => {
  const head = new Head()
  head.atEnd = null
  const bench = new Bench(head)
  bench.stage.finish()
  t.same(bench.errors, [])
  t.equal(bench.taker.ends, 0)
  bench.stage.open()
  t.equal(bench.taker.ends, 1)
})

t.test('an end after the head waits for the kept bytes', async t => {
  const bench = new Bench(new Head())
  bench.stage.receive([bytes('the head.behind')])
  bench.stage.finish()
  t.same(bench.errors, [])
  t.equal(bench.taker.ends, 0)
  bench.taker.meanwhile = () => t.equal(bench.taker.ends, 0)
  bench.stage.open()
  t.equal(bench.passed, 'behind')
  t.equal(bench.taker.ends, 1)
})

t.test('an end after a second one, or after discard, is passed on', async t => {
  const twice = new Bench()
  twice.stage.finish()
  t.equal(twice.taker.ends, 0)
  twice.stage.finish()
  t.equal(twice.taker.ends, 1, 'whoever ends it again does not wait for the handshake')
  const discarded = new Bench()
  discarded.stage.discard()
  discarded.stage.finish()
  t.equal(discarded.taker.ends, 1)
})

t.test('asked to proceed while it is shut, it requests nothing', async t => {
  const bench = new Bench()
  bench.stage.proceed()
  t.equal(bench.giver.asked, 0)
})

t.test('linked on one side only, it stays and passes bytes on', async t => {
  const [stage, taker] = [new HandshakeTransform(), new Taker<Buffer>()]
  link(stage, taker)
  stage.receive([bytes('a')])
  stage.open()
  t.ok(stage.receive([bytes('b')]))
  taker.wants = false
  t.notOk(stage.receive([bytes('c')]))
  stage.finish()
  t.equal(Buffer.concat(taker.items).toString(), 'abc')
  t.equal(taker.ends, 1)
})

// as a stream

const WAYS: Record<string, (stage: HandshakeTransform, source: NodeJS.ReadableStream) => AsyncIterable<unknown>> = {
  'between two streams': (stage, source) => source.pipe(stage).pipe(new PassThrough()),
  'read by itself': (stage, source) => source.pipe(stage),
  'linked to a decoder': (stage, source) => source.pipe(stage).pipe(new FrameDecoder()).pipe(new MessageAssembler()),
  'before a Transform and a decoder': (stage, source) =>
    source.pipe(stage).pipe(new PassThrough()).pipe(new FrameDecoder()).pipe(passing()).pipe(new MessageAssembler())
}

for (const [how, put] of Object.entries(WAYS)) {
  const frames = [wire(true, text('a')), wire(true, text('b')), wire(true, text('c'))]

  test(`${how}: buffered bytes pass once it is opened, and then the end`, async t => {
    for (const turns of [0, 1, 10]) {
      const stage = new HandshakeTransform()
      const got = all(put(stage, sourceOf(frames)))
      for (let i = 0; i < turns; i++) await nextTurn()
      stage.open()
      const items = await got
      const whole = items.every(item => Buffer.isBuffer(item)) ? [Buffer.concat(items as Buffer[])] : items
      t.same(whole, how.includes('decoder') ? ['a', 'b', 'c'] : [Buffer.concat(frames)], `opened after ${turns} turns`)
    }
  })

  test(`${how}: bytes after the head are not lost`, async t => {
    const head = new Head()
    const stage = new HandshakeTransform(head)
    head.done = () => setImmediate(() => stage.open())
    const items = await all(
      put(stage, sourceOf([bytes('the '), Buffer.concat([bytes('head.'), frames[0]!]), frames[1]!, frames[2]!]))
    )
    t.equal(head.head, 'the head')
    const whole = items.every(item => Buffer.isBuffer(item)) ? [Buffer.concat(items as Buffer[])] : items
    t.same(whole, how.includes('decoder') ? ['a', 'b', 'c'] : [Buffer.concat(frames)])
  })

  test(`${how}: an end without a byte passes once it is opened`, async t => {
    const stage = new HandshakeTransform()
    const got = all(put(stage, sourceOf([])))
    await nextTurn()
    await nextTurn()
    stage.open()
    t.same(await got, [])
  })
}

test('as a stream it takes no more than its buffer holds while it is shut', async t => {
  const stage = new HandshakeTransform()
  const source = new PassThrough({ highWaterMark: 1000 })
  source.pipe(stage)
  let taken = 0
  while (taken < 1000 && source.write(Buffer.alloc(1000))) {
    taken++
    await nextTurn()
  }
  t.ok(taken < 200, `${taken} KB`)
  stage.destroy()
})

test('on its own it is destroyed by an invalid head, with the HandshakeError', async t => {
  const stage = new HandshakeTransform(new Head())
  const failed = event(stage, 'error')
  stage.write(bytes('the ?'))
  t.match(await failed, { name: 'HandshakeError', code: 'WS_ERR_MALFORMED_HEAD' })
  t.ok(stage.destroyed)
})

test('on its own it is destroyed by an end before the head is complete', async t => {
  const stage = new HandshakeTransform(new Head())
  stage.resume()
  const failed = event(stage, 'error')
  stage.end(bytes('the he'))
  t.match(await failed, { code: 'WS_ERR_CONNECTION_LOST' })
})

test('outbound, the head is sent before frames that wait', async t => {
  const [encoder, stage, out] = [new FrameEncoder(), new HandshakeTransform(), sink()]
  encoder.pipe(stage).pipe(out)
  encoder.block()
  encoder.control(9, bytes('early'))
  stage.send(bytes('the head.'))
  stage.open()
  encoder.proceed()
  await nextTurn()
  await nextTurn()
  t.same(Buffer.concat(out.items as Buffer[]).toString('latin1'), 'the head.\x89\x05early')
})
