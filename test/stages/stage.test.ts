import { PassThrough, Readable } from 'node:stream'
import { finished, pipeline } from 'node:stream/promises'
import { Frame } from '../../lib/protocol/frame.js'
import { Opcode } from '../../lib/protocol/opcode.js'
import { ExtensionTransform } from '../../lib/stages/extension-transform.js'
import { FrameDecoder } from '../../lib/stages/frame-decoder.js'
import { FrameEncoder } from '../../lib/stages/frame-encoder.js'
import { HandshakeTransform } from '../../lib/stages/handshake-transform.js'
import { MessageAssembler } from '../../lib/stages/message-assembler.js'
import { MessageFragmenter } from '../../lib/stages/message-fragmenter.js'
import { link, Stage } from '../../lib/stages/stage.js'
import { bytesOf, cut, pattern, text, wire } from '../support/frames.js'
import { all, event, Giver, nextTurn, passing, sink, sourceOf, Taker, test } from './ends.js'

/** All stages of both directions: messages that are written come out as messages. */
interface Loop {
  fragmenter: MessageFragmenter
  encoder: FrameEncoder
  decoder: FrameDecoder
  assembler: MessageAssembler
}

const newLoop = (): Loop => ({
  fragmenter: new MessageFragmenter({ fragmentSize: 5000 }),
  encoder: new FrameEncoder({ role: 'client' }),
  decoder: new FrameDecoder({ role: 'server' }),
  assembler: new MessageAssembler()
})

/** The ways to join the four; each returns the stream to read from. */
const MIXTURES: Record<string, (loop: Loop, source: Readable) => AsyncIterable<unknown>> = {
  'all linked': (loop, source) =>
    source.pipe(loop.fragmenter).pipe(loop.encoder).pipe(loop.decoder).pipe(loop.assembler),
  "with a Transform of the user's own between all of them": (loop, source) =>
    source
      .pipe(loop.fragmenter)
      .pipe(passing())
      .pipe(loop.encoder)
      .pipe(new PassThrough())
      .pipe(loop.decoder)
      .pipe(passing())
      .pipe(loop.assembler),
  'linked but for the wire': (loop, source) =>
    source.pipe(loop.fragmenter).pipe(loop.encoder).pipe(new PassThrough()).pipe(loop.decoder).pipe(loop.assembler),
  'linked on the wire only': (loop, source) =>
    source
      .pipe(loop.fragmenter)
      .pipe(passing())
      .pipe(loop.encoder)
      .pipe(loop.decoder)
      .pipe(passing())
      .pipe(loop.assembler),
  'linked behind a Transform': (loop, source) =>
    source.pipe(loop.fragmenter).pipe(passing()).pipe(loop.encoder).pipe(loop.decoder).pipe(loop.assembler),
  'linked before a Transform': (loop, source) =>
    source.pipe(loop.fragmenter).pipe(loop.encoder).pipe(loop.decoder).pipe(passing()).pipe(loop.assembler),
  'by pipeline()': (loop, source) => {
    const end = new PassThrough({ objectMode: true, highWaterMark: 1 })
    pipeline(source, loop.fragmenter, loop.encoder, loop.decoder, loop.assembler, end).catch(error =>
      end.destroy(error)
    )
    return end
  },
  'by pipeline(), with Transforms between': (loop, source) => {
    const end = new PassThrough({ objectMode: true, highWaterMark: 1 })
    const { fragmenter, encoder, decoder, assembler } = loop
    pipeline(source, fragmenter, passing(), encoder, new PassThrough(), decoder, passing(), assembler, end).catch(
      error => end.destroy(error)
    )
    return end
  },
  'linked from the end to the beginning': ({ fragmenter, encoder, decoder, assembler }, source) => {
    decoder.pipe(assembler)
    encoder.pipe(decoder)
    fragmenter.pipe(encoder)
    source.pipe(fragmenter)
    return assembler
  }
}

const CARGO: Record<string, (string | Buffer)[]> = {
  nothing: [],
  'one message': ['one'],
  'many small messages': Array.from({ length: 3000 }, (_, i) => (i % 3 ? `message ${i}` : pattern(i % 200))),
  'large messages': Array.from({ length: 30 }, (_, i) => (i % 2 ? pattern(40_000 + i) : 'x'.repeat(30_000 + i)))
}

for (const [how, put] of Object.entries(MIXTURES)) {
  for (const [what, messages] of Object.entries(CARGO)) {
    for (const slow of [false, true]) {
      test(`${how}: ${what} and the end arrive in order, for a ${slow ? 'slow' : 'quick'} reader`, async t => {
        // empty binary messages are empty chunks, which object mode passes on as well
        const got = await all(put(newLoop(), sourceOf(messages, true)), slow)
        t.equal(got.length, messages.length)
        t.ok(got.every((message, i) => bytesOf(message as string).equals(bytesOf(messages[i]!))))
      })
    }
  }
}

test('pipe between two stages links them, and builds no stream', async t => {
  const { fragmenter, encoder, decoder, assembler } = newLoop()
  const [inbound, outbound, extension] = [new HandshakeTransform(), new HandshakeTransform(), new ExtensionTransform()]
  t.equal(inbound.pipe(decoder), decoder, 'and answers the destination')
  decoder.pipe(extension).pipe(assembler)
  fragmenter.pipe(encoder).pipe(outbound)
  const messages = new Taker<unknown>()
  const bytes = new Taker<Buffer>()
  link(assembler, messages)
  link(outbound, bytes)
  const giver = new Giver<Buffer>()
  link(giver, inbound)
  outbound.open()
  inbound.open()
  giver.next!.receive([wire(true, text('in'))])
  fragmenter.receive(['out'])
  await nextTurn()
  decoder.finish()
  encoder.finish()
  t.same(messages.items, ['in'])
  t.equal(messages.ends, 1)
  t.same(bytes.ends, 1)
  for (const stage of [inbound, decoder, extension, assembler, fragmenter, encoder, outbound]) {
    t.notOk(stage.isBuilt, stage.constructor.name)
  }
})

test('a stage can be piped into any stream, and from any', async t => {
  const decoder = new FrameDecoder()
  const taker = sink({ objectMode: true })
  const source = sourceOf([wire(true, text('a'), text('b'))])
  t.equal(source.pipe(decoder).pipe(taker), taker)
  t.ok(decoder.isBuilt)
  await finished(taker)
  t.same(
    (taker.items as Frame[]).map(({ payload }) => payload.toString()),
    ['a', 'b']
  )
})

test('a Transform of the user between two stages gets batches of frames, and may change them', async t => {
  const { decoder, assembler } = newLoop()
  const seen: number[] = []
  const shouting = passing()
  shouting._transform = (frames: Frame[], _encoding, callback) => {
    seen.push(frames.length)
    callback(
      null,
      frames.map(({ opcode, payload }) => new Frame(opcode, Buffer.from(payload.toString().toUpperCase())))
    )
  }
  const source = sourceOf([wire(true, text('a'), text('b')), wire(true, text('c'))])
  t.same(await all(source.pipe(decoder).pipe(shouting).pipe(assembler)), ['A', 'B', 'C'])
  t.same(seen, [2, 1])
})

test('a single frame counts as a batch of one', async t => {
  const assembler = new MessageAssembler()
  assembler.write(new Frame(Opcode.Text, Buffer.from('a')))
  assembler.write([new Frame(Opcode.Text, Buffer.from('b')), new Frame(Opcode.Text, Buffer.from('c'))])
  assembler.end()
  t.same(await all(assembler), ['a', 'b', 'c'])
})

test('messages pass without being converted to bytes', async t => {
  const messages = ['text', 'gr\u00fc\u00df', Buffer.from('bytes'), 'x'.repeat(2000), pattern(2000)]
  const fragmenter = new MessageFragmenter()
  t.same(await all(sourceOf(messages, true).pipe(fragmenter).pipe(new MessageAssembler())), messages)
})

test('a stage continues however it is read: by events, by read(), by iteration', async t => {
  const chunks = Array.from({ length: 20 }, (_, i) => wire(true, text(`${i}`)))
  const expected = chunks.map((_, i) => `${i}`)
  const ways: Record<string, (stage: MessageAssembler) => Promise<unknown[]>> = {
    "'data'": async stage => {
      const got: unknown[] = []
      stage.on('data', batch => got.push(...batch))
      await event(stage, 'end')
      return got
    },
    "'readable' and read()": async stage => {
      const got: unknown[] = []
      stage.on('readable', () => {
        for (let batch = stage.read(); batch !== null; batch = stage.read()) got.push(...batch)
      })
      await event(stage, 'end')
      return got
    },
    iteration: stage => all(stage),
    'slow iteration': stage => all(stage, true)
  }
  for (const [how, read] of Object.entries(ways)) {
    const frames = sourceOf(chunks).pipe(new FrameDecoder()).pipe(passing())
    t.same(await read(frames.pipe(new MessageAssembler())), expected, how)
  }
})

test('pipe with end: false is an ordinary pipe, and does not end the destination', async t => {
  const { decoder, assembler } = newLoop()
  decoder.pipe(assembler, { end: false })
  t.equal(decoder.next, null)
  const got: unknown[] = []
  assembler.on('data', batch => got.push(...batch))
  decoder.end(wire(true, text('a')))
  await event(decoder, 'end')
  assembler.write(new Frame(Opcode.Text, Buffer.from('b')))
  await nextTurn()
  t.same(got, ['a', 'b'])
  t.notOk(assembler.writableEnded)
})

test('pipe with end: true is a link as usual', async t => {
  const { decoder, assembler } = newLoop()
  decoder.pipe(assembler, { end: true })
  t.equal(decoder.next, assembler)
})

test('a stage that is read works as an ordinary stream', async t => {
  const readers: Record<string, (decoder: FrameDecoder) => void> = {
    "by 'data'": decoder => decoder.on('data', () => {}),
    "by 'readable'": decoder => decoder.on('readable', () => {}),
    'by another pipe': decoder => decoder.pipe(sink({ objectMode: true })),
    'paused, with something to read': decoder => decoder.write(wire(true, text('x')))
  }
  for (const [how, read] of Object.entries(readers)) {
    const { decoder, assembler } = newLoop()
    read(decoder)
    decoder.pipe(assembler)
    t.equal(decoder.next, null, how)
  }
  const endings: Record<string, (decoder: FrameDecoder) => unknown> = {
    'ended while it flowed': decoder => decoder.resume(),
    'ended by read()': decoder => decoder.read()
  }
  for (const [how, read] of Object.entries(endings)) {
    const decoder = new FrameDecoder()
    const end = event(decoder, 'end')
    decoder.end()
    await nextTurn()
    read(decoder)
    await end
    decoder.pipe(new MessageAssembler())
    t.equal(decoder.next, null, how)
  }
})

for (const name of ['data', 'readable']) {
  test(`a listener for '${name}' on a linked stage gets the same data as the other end, from then on`, async t => {
    const { decoder, assembler } = newLoop()
    decoder.pipe(assembler)
    const messages = all(assembler, true)
    // more than one batch: some of it waits in the decoder
    decoder.write(wire(true, ...Array.from({ length: 3000 }, (_, i) => text(`${i}`))))
    await nextTurn()
    const frames: Frame[] = []
    if (name === 'data') decoder.on('data', batch => frames.push(...batch))
    else decoder.on('readable', () => frames.push(...(decoder.read() ?? [])))
    decoder.write(wire(true, text('3000')))
    decoder.end(wire(true, text('3001')))
    if (name === 'data') {
      t.same(
        await messages,
        Array.from({ length: 3002 }, (_, i) => `${i}`)
      )
    } else await event(decoder, 'end')
    t.equal(frames.at(-1)!.payload.toString(), '3001')
    t.equal(decoder.next, null)
  })
}

test('a stage that is written to works as an ordinary stream', async t => {
  const busy = new MessageAssembler()
  busy.cork()
  busy.write(new Frame(Opcode.Text, Buffer.from('waiting')))
  const first = new FrameDecoder()
  first.pipe(busy)
  t.equal(first.next, null, 'something waits')
  const ended = new MessageAssembler()
  ended.end()
  const second = new FrameDecoder()
  second.pipe(ended)
  t.equal(second.next, null, 'it has been ended')
})

test('a stage that has been built but not used is linked', async t => {
  const { decoder, assembler } = newLoop()
  for (const stage of [decoder, assembler]) {
    stage.on('error', () => {})
    t.notOk(stage.destroyed)
  }
  decoder.pipe(assembler)
  t.equal(decoder.next, assembler)
})

test('a stage with two destinations serves both', async t => {
  const { decoder, assembler } = newLoop()
  const second = sink({ objectMode: true })
  decoder.pipe(assembler)
  decoder.pipe(second)
  const messages = all(assembler)
  decoder.end(wire(true, text('a'), text('b')))
  t.same(await messages, ['a', 'b'], 'a stage')
  await nextTurn()
  t.equal(second.items.length, 2, 'and any other stream')
})

test('a stage with two stages as its destinations serves both', async t => {
  const [decoder, first, second] = [new FrameDecoder(), new MessageAssembler(), new MessageAssembler()]
  decoder.pipe(first)
  decoder.pipe(second)
  const messages = [all(first), all(second, true)]
  decoder.end(wire(true, text('a'), text('b')))
  t.same(await Promise.all(messages), [
    ['a', 'b'],
    ['a', 'b']
  ])
})

test('two stages may be piped into one', async t => {
  const [first, second, assembler] = [new FrameDecoder(), new FrameDecoder(), new MessageAssembler()]
  const got: unknown[] = []
  first.pipe(assembler)
  second.pipe(assembler, { end: false })
  assembler.on('data', batch => got.push(...batch))
  first.write(wire(true, text('1')))
  second.write(wire(true, text('2')))
  await nextTurn()
  first.end()
  await event(assembler, 'end')
  t.same(got.sort(), ['1', '2'])
})

for (const [how, put] of Object.entries<(decoder: FrameDecoder, assembler: MessageAssembler) => unknown>({
  linked: (decoder, assembler) => decoder.pipe(assembler),
  'piped through a Transform': (decoder, assembler) => decoder.pipe(passing()).pipe(assembler)
})) {
  test(`${how}: a source is stopped while nothing reads, and everything arrives in order later`, async t => {
    const { decoder, assembler } = newLoop()
    put(decoder, assembler)
    let given = 0
    // 200 chunks of 3000 frames
    const source = new Readable({
      highWaterMark: 1,
      read() {
        if (given === 200) this.push(null)
        else this.push(wire(true, ...Array.from({ length: 3000 }, (_, i) => text(`${given}.${i}`))))
        given++
      }
    })
    source.pipe(decoder)
    assembler.read(0)
    for (let i = 0; i < 50; i++) await nextTurn()
    t.ok(given < 20, `${given} of 200 chunks were taken`)
    const got = await all(assembler, true)
    t.equal(got.length, 600_000)
    t.ok(got.every((message, i) => message === `${Math.floor(i / 3000)}.${i % 3000}`))
  })
}

test('the end waits for unread data', async t => {
  const { decoder, assembler } = newLoop()
  decoder.pipe(assembler)
  decoder.end(wire(true, ...Array.from({ length: 5000 }, () => text('x'))))
  await nextTurn()
  t.notOk(assembler.readableEnded)
  t.ok(decoder.isBlocked)
  t.equal((await all(assembler, true)).length, 5000)
})

test('a half-linked stage finishes its writable side when the written data has left', async t => {
  const { decoder, assembler } = newLoop()
  decoder.pipe(assembler)
  const finish = event(decoder, 'finish')
  const messages = all(assembler)
  decoder.end(wire(true, text('a')))
  await finish
  t.same(await messages, ['a'])
})

test('links can be made and removed by hand, also with objects that are not stages', async t => {
  class Passing extends Stage<string, string> {
    receive(batch: readonly string[]): boolean {
      return this.hand(batch)
    }

    override leave(): void {
      super.leave()
    }
  }
  const [giver, stage, taker] = [new Giver<string>(), new Passing(), new Taker<string>()]
  link(giver, stage)
  link(stage, taker)
  t.ok(giver.next!.receive(['a']))
  taker.wants = false
  t.notOk(giver.next!.receive(['b']), 'what is downstream decides')
  taker.proceed()
  t.equal(giver.asked, 1)
  stage.leave()
  t.equal(giver.next, taker)
  t.equal(taker.prev, giver)
  t.equal(stage.next, null)
  t.equal(stage.prev, null)
  giver.next!.receive(['c'])
  giver.next!.finish()
  t.same(taker.items, ['a', 'b', 'c'])
  t.equal(taker.ends, 1)

  const alone = new Passing()
  alone.leave()
  t.equal(alone.next, null, 'one that stands alone leaves nothing')
  alone.proceed()

  const plain = { received: 0, receive: () => true, finish: () => {} }
  const last = new Passing()
  link(giver, last)
  link<string>(last, plain)
  last.leave()
  t.equal(giver.next, plain as unknown)
  const first = new Passing()
  link(first, taker)
  first.leave()
  t.equal(taker.prev, null)
})

test('a stage that is destroyed does not continue', async t => {
  const { decoder, assembler } = newLoop()
  decoder.pipe(assembler)
  assembler.on('data', () => t.fail('a message after the end'))
  assembler.destroy()
  decoder.write(wire(true, text('a')))
  await nextTurn()
  t.ok(assembler.destroyed)
})

test('pipeline() rejects with the error of a stage, and destroys the others', async t => {
  const { decoder, assembler } = newLoop()
  const source = sourceOf([wire(true, text('right')), wire(false, text('wrong'))])
  const taker = sink({ objectMode: true })
  await t.rejects(pipeline(source, decoder, assembler, taker), { code: 'WS_ERR_EXPECTED_MASK', closeCode: 1002 })
  t.same(taker.items, ['right'], 'what came before it was delivered')
  for (const stream of [source, decoder, assembler, taker]) t.ok(stream.destroyed)
})

test('bytes may arrive in any pieces', async t => {
  const messages = Array.from({ length: 50 }, (_, i) => `message ${i}`)
  const bytes = wire(true, ...messages.map(message => text(message)))
  const chunks = cut(bytes, 1, 2, 3, 10, 11, 100, 101, 333)
  t.same(await all(sourceOf(chunks).pipe(new FrameDecoder()).pipe(new MessageAssembler())), messages)
})
