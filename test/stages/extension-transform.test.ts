import t from 'tap'
import { WebSocketError } from '../../lib/errors.js'
import type { FrameCodec } from '../../lib/extensions/extension.js'
import { Frame } from '../../lib/protocol/frame.js'
import { Opcode } from '../../lib/protocol/opcode.js'
import { ExtensionTransform, type ExtensionTransformOptions } from '../../lib/stages/extension-transform.js'
import { FrameDecoder } from '../../lib/stages/frame-decoder.js'
import { link } from '../../lib/stages/stage.js'
import { text, wire } from '../support/frames.js'
import { all, describeFrame, event, Giver, nextTurn, sourceOf, Taker, test } from './ends.js'

const frame = (opcode: Opcode, rsv = 0, fin = true): Frame => new Frame(opcode, Buffer.from('x'), fin, rsv)

function linked(options?: ExtensionTransformOptions): {
  extension: ExtensionTransform
  taker: Taker<Frame>
  errors: string[]
} {
  const [extension, taker, errors] = [new ExtensionTransform(options), new Taker<Frame>(), [] as string[]]
  link(new Giver<Frame>(), extension)
  link(extension, taker)
  extension.listener = { fail: error => errors.push(error.code) }
  return { extension, taker, errors }
}

t.test('without extensions, batches without reserved bits pass unchanged', async t => {
  const { extension, taker, errors } = linked()
  const batch = Object.values(Opcode).map(opcode => frame(opcode))
  t.ok(extension.receive(batch))
  t.same(taker.items, batch)
  taker.wants = false
  t.notOk(extension.receive(batch))
  t.same(errors, [])
})

t.test('without extensions, any reserved bit is refused (RFC 6455 §5.2)', async t => {
  for (const opcode of Object.values(Opcode)) {
    for (let rsv = 1; rsv < 8; rsv++) {
      const { extension, taker, errors } = linked()
      t.ok(extension.receive([frame(opcode, rsv)]))
      t.same(errors, ['WS_ERR_UNEXPECTED_RSV'])
      t.same(taker.batches, [])
    }
  }
})

t.test('negotiated bits may be set on the first frame of a message', async t => {
  for (let rsv = 1; rsv < 8; rsv++) {
    for (const opcode of [Opcode.Text, Opcode.Binary]) {
      const { extension, taker, errors } = linked({ rsv })
      extension.receive([frame(opcode, rsv, false), frame(Opcode.Continuation, 0), frame(opcode, 0)])
      t.same(errors, [])
      t.equal(taker.items.length, 3)
      extension.receive([frame(opcode, 7)])
      t.same(errors, rsv === 7 ? [] : ['WS_ERR_UNEXPECTED_RSV'], 'and no other')
    }
  }
})

t.test('A23: no bit may be set on a continuation or a control frame (RFC 7692 §6)', async t => {
  for (const opcode of [Opcode.Continuation, Opcode.Ping, Opcode.Pong, Opcode.Close]) {
    const { extension, errors } = linked({ rsv: 4 })
    extension.receive([frame(Opcode.Text, 4, false), frame(opcode, 4)])
    t.same(errors, ['WS_ERR_UNEXPECTED_RSV'])
  }
})

t.test('frames before an error pass before its listener is notified, and none after it', async t => {
  const { extension, taker, errors } = linked()
  taker.meanwhile = () => errors.push('frames')
  t.ok(extension.receive([frame(Opcode.Text), frame(Opcode.Ping), frame(Opcode.Text, 1), frame(Opcode.Binary)]))
  t.same(errors, ['frames', 'WS_ERR_UNEXPECTED_RSV'])
  t.same(taker.items.map(describeFrame), ['text 78', 'ping 78'])
})

test('on its own it is destroyed by an error of the peer, after everything before it', async t => {
  const extension = new ExtensionTransform()
  const got: Frame[] = []
  extension.on('data', batch => got.push(...batch))
  const failed = event(extension, 'error')
  extension.write([frame(Opcode.Text), frame(Opcode.Text, 4)])
  t.match(await failed, { code: 'WS_ERR_UNEXPECTED_RSV', closeCode: 1002 })
  t.same(got.map(describeFrame), ['text 78'])
  t.ok(extension.destroyed)
})

/** A codec that turns each frame into the result of `make`, synchronously or when it is told to continue. */
class ToyCodec implements FrameCodec {
  busy = false
  ready: (() => void) | null = null
  closed = 0
  pushed: Frame[] = []
  private made: Frame[] = []

  constructor(
    private readonly make: (frame: Frame) => Frame[] = each => [each],
    private readonly slow = false
  ) {}

  push(frame: Frame): void {
    if (this.busy || this.made.length > 0) throw new Error('what came before is not used up')
    this.pushed.push(frame)
    this.busy = this.slow
    this.made = this.make(frame)
  }

  next(): Frame | null {
    return this.busy ? null : (this.made.shift() ?? null)
  }

  goOn(): void {
    this.busy = false
    this.ready!()
  }

  close(): void {
    this.closed++
  }
}

function coded(codec: ToyCodec): ReturnType<typeof linked> & { giver: Giver<Frame> } {
  const made = linked({ codec, rsv: 4 })
  return { ...made, giver: made.extension.prev as Giver<Frame> }
}

const says = (payload: string): Frame => new Frame(Opcode.Text, payload)
const texts = (frames: readonly Frame[]): string[] => frames.map(({ payload }) => String(payload))

t.test('data frames go through the codec, control frames bypass it, in order', async t => {
  const codec = new ToyCodec(({ payload }) => [says(`${payload}1`), says(`${payload}2`)])
  const { extension, taker } = coded(codec)
  t.equal(extension.receive([says('a'), frame(Opcode.Ping), says('b')]), true)
  t.same(texts(taker.items), ['a1', 'a2', 'x', 'b1', 'b2'])
  t.equal(taker.batches.length, 1, 'in one batch')
  t.equal(extension.isIdle, true)
})

t.test('a frame without output makes no batch', async t => {
  const { extension, taker } = coded(new ToyCodec(() => []))
  t.equal(extension.receive([says('a')]), true)
  t.same(taker.batches, [])
})

t.test('it reports how much it buffers, and its ratio', async t => {
  const codec = new ToyCodec(({ payload }) => [says(String(payload).slice(0, 2))], true)
  const { extension } = coded(codec)
  t.same([extension.size, extension.ratio], [0, 1])
  extension.receive([says('123456'), says('1234')])
  t.same([extension.size, extension.ratio], [10, 1], 'nothing is made yet')
  codec.goOn()
  codec.goOn()
  t.same([extension.size, extension.ratio], [0, 2.5])
})

t.test('while the codec works asynchronously, further frames wait', async t => {
  const codec = new ToyCodec(undefined, true)
  const { extension, taker, giver } = coded(codec)
  t.equal(extension.receive([says('a'), says('b'), frame(Opcode.Ping)]), false)
  t.equal(extension.isWorking, true)
  t.equal(extension.isIdle, false)
  t.equal(extension.receive([says('c')]), false)
  codec.goOn()
  t.same(texts(taker.items), ['a'])
  codec.goOn()
  t.same(texts(taker.items), ['a', 'b', 'x'])
  t.equal(giver.asked, 0)
  codec.goOn()
  t.same(texts(taker.items), ['a', 'b', 'x', 'c'])
  t.equal(giver.asked, 1)
  t.equal(extension.isIdle, true)
})

t.test('each frame takes constant time, however many wait for the codec', async t => {
  const codec = new ToyCodec(undefined, true)
  const { extension, taker } = coded(codec)
  const COUNT = 100_000
  // copying the queue for each of them would take gigabytes
  for (let i = 0; i < COUNT; i++) extension.receive([says(String(i))])
  t.equal(extension.size, Array.from({ length: COUNT }, (_, i) => String(i)).join('').length)
  for (let i = 0; i < COUNT; i++) codec.goOn()
  t.same(texts(taker.items.slice(-2)), ['99998', '99999'])
  t.equal(taker.items.length, COUNT)
})

t.test('if a listener downstream throws, waiting frames still continue', async t => {
  const large = (): Frame => new Frame(Opcode.Binary, Buffer.alloc(70_000))
  const { extension, taker } = coded(new ToyCodec(() => [large(), large()]))
  taker.meanwhile = () => {
    taker.meanwhile = null
    throw new Error('from a listener')
  }
  t.throws(() => extension.receive([says('a'), says('b')]), /from a listener/)
  await nextTurn()
  t.equal(taker.items.length, 4)
  t.equal(extension.isIdle, true)
})

t.test('frames that are too large are split after the codec', async t => {
  const { extension, taker } = linked({
    rsv: 4,
    fragmentSize: 3,
    codec: new ToyCodec(() => [new Frame(Opcode.Text, 'abcdefgh', false, 4), new Frame(Opcode.Continuation, 'ij')])
  })
  extension.receive([says('a')])
  t.same(taker.items.map(describeFrame), ['text+ rsv 4 616263', 'more+ 646566', 'more+ 6768', 'more 696a'])
  t.same([extension.size, extension.ratio], [0, 0.1])
})

t.test('downstream gets no more than it wants', async t => {
  const large = (): Frame => new Frame(Opcode.Binary, Buffer.alloc(40_000))
  const codec = new ToyCodec(() => [large(), large(), large(), large(), large()])
  const { extension, taker, giver } = coded(codec)
  taker.wants = false
  t.equal(extension.receive([says('a')]), false)
  t.equal(taker.items.length, 2, 'a batch is no larger than it must be')
  taker.prev!.proceed()
  t.equal(taker.items.length, 4)
  t.equal(giver.asked, 0)
  taker.proceed()
  t.equal(taker.items.length, 5)
  t.equal(giver.asked, 1)
  const many = coded(new ToyCodec(() => Array.from({ length: 3000 }, () => says('x'))))
  many.extension.receive([says('a')])
  t.same(
    many.taker.batches.map(batch => batch.length),
    [1024, 1024, 952]
  )
})

t.test('asked for more while it passes something on, it continues', async t => {
  const large = (): Frame => new Frame(Opcode.Binary, Buffer.alloc(70_000))
  const { extension, taker } = coded(new ToyCodec(() => [large(), large(), large()]))
  taker.wants = false
  taker.meanwhile = () => extension.proceed()
  t.equal(extension.receive([says('a')]), true)
  t.equal(taker.items.length, 3)
})

t.test('ready while downstream is full, it waits for that', async t => {
  const codec = new ToyCodec(undefined, true)
  const { extension, taker, giver } = coded(codec)
  taker.wants = false
  extension.receive([frame(Opcode.Ping), says('a')])
  t.equal(taker.items.length, 1)
  codec.goOn()
  t.equal(taker.items.length, 1)
  t.equal(extension.isWorking, false)
  taker.proceed()
  t.equal(taker.items.length, 2)
  t.equal(giver.asked, 1)
  taker.prev!.proceed()
  t.equal(giver.asked, 2)
})

t.test('the end waits for the work of the codec', async t => {
  const codec = new ToyCodec(undefined, true)
  const { extension, taker } = coded(codec)
  extension.receive([says('a')])
  extension.finish()
  t.equal(taker.ends, 0)
  codec.goOn()
  t.same([taker.items.length, taker.ends, codec.closed], [1, 1, 1])
  t.equal(extension.receive([says('b')]), true, 'what comes behind it is dropped')
  codec.ready!()
  t.same([taker.items.length, taker.ends], [1, 1])
  const idle = coded(new ToyCodec())
  idle.extension.finish()
  t.equal(idle.taker.ends, 1)
})

t.test('an end that arrives while a batch is passed on follows it', async t => {
  const { extension, taker } = coded(new ToyCodec())
  taker.meanwhile = () => extension.finish()
  extension.receive([says('a')])
  t.same([taker.items.length, taker.ends], [1, 1])
})

t.test('stopped, it drops its input, frees the codec, and is idle', async t => {
  const codec = new ToyCodec(undefined, true)
  const { extension, taker } = coded(codec)
  let told = 0
  extension.receive([says('a'), says('b')])
  extension.whenIdle(() => told++)
  extension.finish()
  extension.stop()
  extension.stop()
  t.same([taker.items.length, taker.ends, codec.closed, told], [0, 1, 1, 1])
  codec.ready!()
  t.equal(taker.items.length, 0)
})

t.test('stopped while it passes something on, it stops at once', async t => {
  const large = (): Frame => new Frame(Opcode.Binary, Buffer.alloc(70_000))
  const { extension, taker } = coded(new ToyCodec(() => [large(), large()]))
  taker.meanwhile = () => extension.stop()
  t.equal(extension.receive([says('a'), says('b')]), true)
  t.equal(taker.items.length, 1)
})

t.test('idle callbacks run once, after everything was passed on', async t => {
  const codec = new ToyCodec(undefined, true)
  const { extension, taker } = coded(codec)
  let seen = -1
  extension.receive([says('a')])
  const order: string[] = []
  extension.whenIdle(() => {
    seen = taker.items.length
    order.push('first')
  })
  extension.whenIdle(() => order.push('second'))
  codec.goOn()
  t.equal(seen, 1)
  t.same(order, ['first', 'second'])
})

t.test('a codec that refuses a frame ends it, after its earlier output', async t => {
  const { extension, taker, errors } = coded(
    new ToyCodec(({ payload }) => {
      if (String(payload) === 'bad') throw new WebSocketError('WS_ERR_INVALID_COMPRESSED_DATA')
      return [says(`${payload}!`)]
    })
  )
  t.equal(extension.receive([says('a'), says('bad'), says('b')]), true)
  t.same(texts(taker.items), ['a!'])
  t.same(errors, ['WS_ERR_INVALID_COMPRESSED_DATA'])
})

t.test('an error after frames whose consumer has stopped everything is not reported', async t => {
  const { extension, taker, errors } = linked()
  taker.meanwhile = () => extension.stop()
  extension.receive([says('a'), frame(Opcode.Text, 4)])
  t.same(errors, [])
})

t.test('an error that is not a protocol error is thrown', async t => {
  const { extension } = coded(
    new ToyCodec(() => {
      throw new RangeError('a mistake')
    })
  )
  t.throws(() => extension.receive([says('a')]), RangeError)
})

test('as a stream with a slow codec it keeps order, and ends', async t => {
  const codec = new ToyCodec(undefined, true)
  const push = codec.push.bind(codec)
  codec.push = each => {
    push(each)
    setImmediate(() => codec.goOn())
  }
  const source = sourceOf(
    Array.from({ length: 20 }, (_, i) => [says(String(i))]),
    true
  )
  const frames = await all(source.pipe(new ExtensionTransform({ codec })), true)
  t.same(
    texts(frames as Frame[]),
    Array.from({ length: 20 }, (_, i) => String(i))
  )
  t.equal(codec.closed, 1)
})

test('as a stream it takes nothing more while its output waits to be read', async t => {
  const extension = new ExtensionTransform({ codec: new ToyCodec(() => Array.from({ length: 3000 }, () => says('x'))) })
  extension.write([says('a')])
  let told = false
  extension.write([says('b')], () => {
    told = true
  })
  await nextTurn()
  t.equal(told, false)
  t.equal((extension.read() as Frame[]).length, 1024)
  extension.end()
  t.equal((await all(extension)).length, 6000 - 1024)
  t.equal(told, true)
})

test('as a stream it frees a codec that works when it is destroyed', async t => {
  const codec = new ToyCodec(undefined, true)
  const extension = new ExtensionTransform({ codec })
  extension.write([says('a')])
  extension.destroy()
  await event(extension, 'close')
  t.equal(codec.closed, 1)
})

test('as a stream it passes batches on', async t => {
  const source = sourceOf([wire(true, text('a'), text('b'))])
  const frames = await all(source.pipe(new FrameDecoder()).pipe(new ExtensionTransform()))
  t.same((frames as Frame[]).map(describeFrame), ['text 61', 'text 62'])
})
