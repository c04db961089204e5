import t from 'tap'
import { WebSocketError } from '../../lib/errors.js'
import { Frame } from '../../lib/protocol/frame.js'
import { FrameParser } from '../../lib/protocol/frame-parser.js'
import type { Message } from '../../lib/protocol/message-joiner.js'
import { Opcode } from '../../lib/protocol/opcode.js'
import { copyBytes } from '../../lib/protocol/small-payload.js'
import { FrameDecoder } from '../../lib/stages/frame-decoder.js'
import { MessageAssembler, type MessageAssemblerOptions } from '../../lib/stages/message-assembler.js'
import { link } from '../../lib/stages/stage.js'
import { describeMessage, MESSAGE_CASES } from '../protocol/message-cases.js'
import { inAllWays, type Outcome, type Side } from '../protocol/ways.js'
import { binary, bytesOf, more, ping, text, wire } from '../support/frames.js'
import { event, Giver, nextTurn, Taker, test } from './ends.js'

const words = (said: string): Frame => new Frame(Opcode.Text, Buffer.from(said))

/** Feeds a decoder that is linked to an assembler, and continues after an error. */
function read(side: Side, chunks: Buffer[], owned: boolean, options: MessageAssemblerOptions): Outcome {
  const taker = new Taker<Message>()
  const decoder = new FrameDecoder({ role: side.role, maxFrameSize: Number.POSITIVE_INFINITY })
  const assembler = new MessageAssembler(options)
  const outcome: Outcome = { got: [], fed: 0 }
  const fail = (error: WebSocketError): void => {
    if (outcome.error !== undefined) throw new Error('a second fault')
    outcome.error = error.code
    failedAt = fed
    decoder.stop()
  }
  let fed = 0
  let failedAt = 0
  decoder.ownsInput = owned
  decoder.listener = { fail, control: () => true, holdsClose: () => false }
  assembler.listener = { fail }
  decoder.pipe(assembler)
  link(assembler, taker)
  for (const chunk of chunks) {
    fed += chunk.length
    decoder.receive([chunk])
  }
  return { ...outcome, got: taker.items.map(describeMessage), fed: failedAt }
}

for (const { says, messages, maxMessageSize, maxFragments, ...arrival } of MESSAGE_CASES) {
  t.test(says, async t => {
    const options: MessageAssemblerOptions = {
      maxMessageSize: maxMessageSize ?? Number.POSITIVE_INFINITY,
      maxFragments: maxFragments ?? Number.POSITIVE_INFINITY
    }
    inAllWays(t, arrival, messages.map(describeMessage), describeMessage('behind'), (side, chunks, owned) =>
      read(side, chunks, owned, options)
    )
  })
}

function linked(options?: MessageAssemblerOptions): {
  assembler: MessageAssembler
  taker: Taker<Message>
  giver: Giver<Frame>
} {
  const [giver, assembler, taker] = [new Giver<Frame>(), new MessageAssembler(options), new Taker<Message>()]
  link(giver, assembler)
  link(assembler, taker)
  return { giver, assembler, taker }
}

t.test(
  'all messages of a batch of frames are one batch, and a batch without the end of a message makes none',
  async t => {
    const { assembler, taker } = linked()
    t.ok(assembler.receive([words('a'), words('b'), new Frame(Opcode.Binary, Buffer.from('c'), false)]))
    t.ok(assembler.receive([new Frame(Opcode.Continuation, Buffer.from('d'), false)]))
    t.ok(assembler.receive([new Frame(Opcode.Continuation, Buffer.from('e')), words('f')]))
    t.same(taker.batches, [
      ['a', 'b'],
      [Buffer.from('cde'), 'f']
    ])
  }
)

t.test('control frames are ignored', async t => {
  const { assembler, taker } = linked()
  const controls = [Opcode.Ping, Opcode.Pong, Opcode.Close].map(opcode => new Frame(opcode, Buffer.from('x')))
  t.ok(assembler.receive(controls))
  assembler.receive([
    new Frame(Opcode.Text, Buffer.from('a'), false),
    ...controls,
    new Frame(Opcode.Continuation, Buffer.from('b'))
  ])
  t.same(taker.items, ['ab'])
})

t.test('it reports a full downstream, unless it has passed nothing on', async t => {
  const { giver, assembler, taker } = linked()
  taker.wants = false
  t.ok(assembler.receive([new Frame(Opcode.Text, Buffer.from('a'), false)]))
  t.notOk(assembler.receive([new Frame(Opcode.Continuation, Buffer.from('b'))]))
  taker.proceed()
  t.equal(giver.asked, 1)
})

t.test('messages before an error are passed on before its listener is notified', async t => {
  const { assembler, taker } = linked()
  const order: string[] = []
  taker.meanwhile = () => order.push('messages')
  assembler.listener = { fail: error => order.push(error.code) }
  t.ok(assembler.receive([words('a'), new Frame(Opcode.Continuation, Buffer.from('b')), words('c')]))
  t.same(order, ['messages', 'WS_ERR_UNEXPECTED_CONTINUATION'])
  t.same(taker.items, ['a'])
})

t.test('by default, messages may have 2^26-1 bytes and 2^17 fragments', async t => {
  const fragment = (fin: boolean): Frame => new Frame(Opcode.Continuation, Buffer.alloc(0), fin)
  const errors: string[] = []
  const limited = (): MessageAssembler => {
    const { assembler } = linked()
    assembler.listener = { fail: error => errors.push(error.code) }
    return assembler
  }
  const announced = (length: number): Frame => new Frame(Opcode.Binary, Buffer.alloc(0)).asPart(0, length)
  limited().receive([announced(2 ** 26 - 1)])
  t.same(errors, [])
  limited().receive([announced(2 ** 26)])
  t.same(errors.splice(0), ['WS_ERR_MESSAGE_TOO_LARGE'])
  const first = new Frame(Opcode.Text, Buffer.alloc(0), false)
  limited().receive([first, ...Array.from({ length: 16383 }, (_, i) => fragment(i === 16382))])
  t.same(errors, [])
  limited().receive([first, ...Array.from({ length: 2 ** 17 }, () => fragment(false))])
  t.same(errors, ['WS_ERR_TOO_MANY_FRAGMENTS'])
})

test('on its own it is destroyed by an error of the peer, with the WebSocketError, after the messages before it', async t => {
  const assembler = new MessageAssembler()
  const got: unknown[] = []
  assembler.on('data', batch => got.push(...batch))
  const failed = event<WebSocketError>(assembler, 'error')
  assembler.write([words('a'), words('b')])
  assembler.write([words('c'), new Frame(Opcode.Text, Buffer.from([0xff])), words('d')])
  const error = await failed
  t.ok(error instanceof WebSocketError)
  t.match(error, { code: 'WS_ERR_INVALID_UTF8', closeCode: 1007 })
  t.same(got, ['a', 'b', 'c'])
  t.ok(assembler.destroyed)
})

test('on its own after a decoder, it takes nothing after an error', async t => {
  const [decoder, assembler] = [new FrameDecoder(), new MessageAssembler()]
  decoder.pipe(assembler)
  const got: unknown[] = []
  assembler.on('data', batch => got.push(...batch))
  const failed = event(assembler, 'error')
  decoder.write(wire(true, text('a'), more('wrong'), text('b')))
  decoder.write(wire(true, text('c'), ping(''), binary('d')))
  t.match(await failed, { code: 'WS_ERR_UNEXPECTED_CONTINUATION' })
  await nextTurn()
  t.same(got, ['a'])
})

t.test("an error that is not the peer's is not reported as such", async t => {
  const { assembler } = linked()
  assembler.listener = { fail: () => t.fail('a fault of the peer') }
  const broken = words('a')
  Object.defineProperty(broken, 'first', {
    get() {
      throw new RangeError('a fault of ours')
    }
  })
  t.throws(() => assembler.receive([broken]), { message: 'a fault of ours' })
})

t.test('invalid limits are a RangeError or a TypeError at once', async t => {
  for (const name of ['maxMessageSize', 'maxFragments']) {
    for (const wrong of [-1, Number.NaN])
      t.throws(() => new MessageAssembler({ [name]: wrong }), RangeError, `${name}: ${wrong}`)
    for (const wrong of ['5', null])
      t.throws(() => new MessageAssembler({ [name]: wrong }), TypeError, `${name}: ${wrong}`)
  }
})

test('messages outlive the batches they arrived in', async t => {
  const decoder = new FrameDecoder()
  const assembler = decoder.pipe(new MessageAssembler())
  const got: Message[] = []
  assembler.on('data', batch => got.push(...batch))
  const chunk = bytesOf(wire(true, text('a'), binary('b')))
  decoder.write(chunk)
  await nextTurn()
  chunk.fill(0)
  t.same(got, ['a', Buffer.from('b')])
})

t.test('frames may be passed to two assemblers, and kept', async t => {
  const sent = ['x'.repeat(70_000), Buffer.alloc(20_000, 'x')]
  const parser = new FrameParser({ masked: true, maxFrameSize: Number.POSITIVE_INFINITY })
  const messages: Message[][] = [[], []]
  const assemblers = messages.map(got => new MessageAssembler().on('data', batch => got.push(...batch)))
  const kept: Frame[] = []
  for (const frame of [text(sent[0] as string), binary(sent[1] as Buffer)]) {
    // as a socket gives them
    parser.push(copyBytes(wire(true, frame)), true)
    kept.push(parser.next()!)
    for (const assembler of assemblers) assembler.write([kept.at(-1)])
  }
  await nextTurn()
  t.same(messages, [sent, sent])
  t.same(
    kept.map(({ payload }) => payload),
    sent.map(message => Buffer.from(message as string))
  )
})
