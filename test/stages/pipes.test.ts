// Pipes between stages behave like Node's: they emit events, can be undone, and do not bypass the work of a subclass.

import type { TransformCallback } from 'node:stream'
import { PassThrough } from 'node:stream'
import { Frame } from '../../lib/protocol/frame.js'
import { Opcode } from '../../lib/protocol/opcode.js'
import { FrameDecoder } from '../../lib/stages/frame-decoder.js'
import { FrameEncoder, type Written } from '../../lib/stages/frame-encoder.js'
import { MessageAssembler } from '../../lib/stages/message-assembler.js'
import { MessageFragmenter } from '../../lib/stages/message-fragmenter.js'
import { close, text, wire } from '../support/frames.js'
import { all, event, nextTurn, sourceOf, test } from './ends.js'

/** Turns within which pending work ends. */
async function turns(count = 5): Promise<void> {
  for (let i = 0; i < count; i++) await nextTurn()
}

/** The pipe events of a stage, by their source. */
function pipeEvents(stage: NodeJS.EventEmitter, source: unknown): string[] {
  const events: string[] = []
  for (const name of ['pipe', 'unpipe'])
    stage.on(name, from => events.push(`${name}${from === source ? '' : ' of another'}`))
  return events
}

test('an unpiped stage gets nothing more, and both ends are notified', async t => {
  const [decoder, assembler] = [new FrameDecoder(), new MessageAssembler()]
  const events = pipeEvents(assembler, decoder)
  const got: unknown[] = []
  assembler.on('data', messages => got.push(...messages))
  t.equal(decoder.pipe(assembler), assembler)
  decoder.write(wire(true, text('piped')))
  await turns()
  t.same(got, ['piped'])
  decoder.unpipe(new MessageAssembler())
  t.same(events, ['pipe'], 'another one was not piped')
  t.equal(decoder.unpipe(assembler), decoder)
  decoder.write(wire(true, text('nowhere')))
  await turns()
  t.same(got, ['piped'])
  t.same(events, ['pipe', 'unpipe'])
  decoder.unpipe(assembler)
  decoder.unpipe()
  t.same(events, ['pipe', 'unpipe'], 'once')

  decoder.pipe(assembler)
  decoder.write(wire(true, text('piped again')))
  await turns()
  t.same(got, ['piped', 'nowhere', 'piped again'], 'what waited comes with the next pipe, as with any Readable')
})

test('unpipe() without a stage removes every pipe', async t => {
  const [fragmenter, encoder] = [new MessageFragmenter(), new FrameEncoder()]
  const events = pipeEvents(encoder, fragmenter)
  fragmenter.pipe(encoder)
  fragmenter.unpipe()
  t.same(events, ['pipe', 'unpipe'])
  t.same([fragmenter.next, encoder.prev], [null, null])
})

test("a subclass's own _transform is used, on either side of the pipe", async t => {
  let seen = 0
  class Counting extends FrameDecoder {
    override _transform(chunk: unknown, encoding: string, callback: TransformCallback): void {
      seen++
      super._transform(chunk, encoding, callback)
    }
  }
  class Shouting extends MessageAssembler {
    override _transform(chunk: unknown, encoding: string, callback: TransformCallback): void {
      seen++
      super._transform(chunk, encoding, callback)
    }
  }
  const source = sourceOf([wire(true, text('a')), wire(true, text('b'))])
  t.same(await all(source.pipe(new Counting()).pipe(new MessageAssembler())), ['a', 'b'])
  t.equal(seen, 2)
  seen = 0
  const other = sourceOf([wire(true, text('a')), wire(true, text('b'))])
  t.same(await all(other.pipe(new FrameDecoder()).pipe(new Shouting())), ['a', 'b'])
  t.equal(seen, 2)
})

test("a subclass's own _flush is called at the end", async t => {
  class Ending extends MessageAssembler {
    override _flush(callback: TransformCallback): void {
      this.push(['the end'])
      super._flush(callback)
    }
  }
  const source = sourceOf([wire(true, text('a'))])
  t.same(await all(source.pipe(new FrameDecoder()).pipe(new Ending())), ['a', 'the end'])
})

test('a pipe that does not end its destination is an ordinary one', async t => {
  const [decoder, assembler] = [new FrameDecoder(), new MessageAssembler()]
  const got: unknown[] = []
  assembler.on('data', messages => got.push(...messages))
  decoder.pipe(assembler, { end: false })
  decoder.end(wire(true, text('a')))
  await turns()
  t.same(got, ['a'])
  t.equal(assembler.writableEnded, false)
})

test('a second destination besides a linked one gets the same', async t => {
  const [decoder, assembler] = [new FrameDecoder(), new MessageAssembler()]
  const messages: unknown[] = []
  assembler.on('data', batch => messages.push(...batch))
  decoder.pipe(assembler)
  const beside = new PassThrough({ objectMode: true })
  const batches: unknown[] = []
  beside.on('data', batch => batches.push(...batch))
  decoder.pipe(beside)
  decoder.write(wire(true, text('a'), text('b')))
  await turns(10)
  t.same(messages, ['a', 'b'])
  t.equal(batches.length, 2)
})

test('a stage that was written to or read before is piped like any stream', async t => {
  const [decoder, assembler] = [new FrameDecoder(), new MessageAssembler()]
  decoder.write(wire(true, text('before')))
  await turns()
  decoder.pipe(assembler)
  t.equal(decoder.next, null, 'no link')
  const first = event<unknown[]>(assembler, 'data')
  t.same(await first, ['before'])
  decoder.end(wire(true, text('behind'), close()))
})

test('an encoder without a wire calls back when it has passed its data on', async t => {
  const encoder = new FrameEncoder()
  const out: Buffer[] = []
  encoder.on('data', chunk => out.push(chunk))
  await new Promise(resolve => encoder.write([], resolve))
  let called = 0
  encoder.whenWritten(() => called++)
  t.equal(called, 1)
  encoder.block()
  encoder.write([])
  encoder.proceed()
  await turns()
  t.equal(encoder.size, 0)
})

test('an encoder calls back when the wire has written everything before', async t => {
  const encoder = new FrameEncoder()
  const out: Buffer[] = []
  encoder.on('data', chunk => out.push(chunk))
  const wire: { onWritten: Written | null; hasWrittenAll: boolean; isSocket: boolean; expectWritten(): void } = {
    onWritten: null,
    hasWrittenAll: false,
    isSocket: false,
    expectWritten(): void {}
  }
  encoder.setWire(wire)
  const called: string[] = []
  encoder.whenWritten(() => called.push('with nothing written'))
  t.same(called, ['with nothing written'])
  encoder.write([new Frame(Opcode.Binary, Buffer.from('first'))])
  encoder.whenWritten(() => called.push('behind the first'))
  encoder.flushNow()
  encoder.whenWritten(() => called.push('asked for later'))
  encoder.write([new Frame(Opcode.Binary, Buffer.from('second'))])
  encoder.whenWritten(() => called.push('behind the second'))
  encoder.flushNow()
  t.equal(out.length, 2)
  t.equal(called.length, 1)
  wire.onWritten!(null)
  t.same(called.slice(1), ['behind the first', 'asked for later'])
  wire.onWritten!(null)
  t.same(called.slice(3), ['behind the second'])
})

test('an encoder that can write nothing any more reports it at once', async t => {
  const encoder = new FrameEncoder()
  encoder.resume()
  encoder.close(Buffer.from([3, 232]))
  // RFC 6455 §5.5.1: nothing after a Close
  encoder.receive([new Frame(Opcode.Text, 'behind the Close')])
  const error = await new Promise<unknown>(resolve => encoder.whenWritten(resolve))
  t.match(error, { code: 'WS_ERR_NOT_OPEN' })
})
