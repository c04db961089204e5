import t from 'tap'
import { Duplex, EventEmitter, lazy, prepareListeners, Transform } from '../lib/streams.js'
import { held } from './protocol/memory.js'

const LazyDuplex = lazy(Duplex)
const LazyTransform = lazy(Transform)

/** Returns its input in upper case. */
class Shouting extends LazyTransform {
  builds = 0

  override streamOptions(): { highWaterMark: number; decodeStrings: boolean; encoding: BufferEncoding } {
    return { highWaterMark: 7, decodeStrings: false, encoding: 'utf8' }
  }

  override onBuilt(): void {
    this.builds++
  }

  override _transform(chunk: string, _encoding: string, callback: (error: null, data: string) => void): void {
    callback(null, chunk.toUpperCase())
  }
}

t.test('a lazy stream is not built by its constructor, nor by checking isBuilt', async t => {
  const stream = new Shouting()
  t.notOk(stream.isBuilt)
  t.equal(stream.builds, 0)
  t.notOk(Object.hasOwn(stream, '_readableState'))
})

t.test('it is built once, by the first use as a stream, with the options of its class', async t => {
  const uses: Record<string, (stream: Shouting) => unknown> = {
    'a write': stream => stream.write('a'),
    'a read': stream => stream.read(),
    'a pipe': stream => stream.pipe(new Duplex({ write: () => {} })),
    "a listener for 'data'": stream => stream.on('data', () => {}),
    'an end': stream => stream.end(),
    'a destroy': stream => stream.destroy(),
    'a look at its length': stream => stream.readableLength,
    'a look at its writable side': stream => stream.writable
  }
  for (const [what, use] of Object.entries(uses)) {
    const stream = new Shouting()
    use(stream)
    t.ok(stream.isBuilt, what)
    stream.resume()
    t.equal(stream.builds, 1)
    t.equal(stream.readableHighWaterMark, 7)
    t.equal(stream.writableHighWaterMark, 7)
  }
})

t.test('once built, it is a stream like any other', async t => {
  const stream = new Shouting()
  stream.write('gr\u00fc')
  stream.end('\u00dfe')
  let said = ''
  for await (const chunk of stream) said += chunk
  t.equal(said, 'GR\u00dcSSE')
  t.ok(stream instanceof Shouting)
  t.ok(stream instanceof Transform)
  t.ok(stream.readableEnded)
  t.ok(stream.writableFinished)
  t.ok(stream.destroyed)
})

t.test('listeners added before it was built are kept', async t => {
  const stream = new Shouting()
  const heard: string[] = []
  stream.once('close', () => heard.push('close'))
  stream.prependListener('finish', () => heard.push('finish'))
  stream.resume().end('a')
  await new Promise(resolve => stream.on('close', resolve))
  t.same(heard, ['finish', 'close'])
})

t.test('without a hook of its own, a class is built all the same', async t => {
  class Plain extends LazyDuplex {
    override streamOptions(): { objectMode: boolean } {
      return { objectMode: true }
    }

    override _read(): void {
      this.push(null)
    }
  }
  const stream = new Plain()
  t.notOk(stream.isBuilt)
  t.ok(stream.readableObjectMode)
  t.ok(stream.isBuilt)
})

t.test('either side may be used first', async t => {
  for (const side of ['_readableState', '_writableState']) {
    const stream = new Shouting()
    t.ok(Reflect.get(stream, side))
    t.equal(Reflect.get(stream, side), Reflect.get(stream, side), 'the same each time')
    t.equal(stream.builds, 1)
  }
})

t.test('inspecting a prototype builds nothing, and breaks no stream', async t => {
  // a separate class, so that changing its prototype affects no other test
  class Looked extends LazyDuplex {
    override streamOptions(): object {
      return {}
    }
  }
  for (const prototype of [LazyDuplex.prototype, Looked.prototype]) {
    for (const name of ['_readableState', '_writableState', 'readable', 'writable', 'destroyed']) {
      t.doesNotThrow(() => Reflect.get(prototype, name), name)
    }
  }
  t.notOk(Object.hasOwn(Looked.prototype, '_readableState'), 'nothing is built')
  const [first, second] = [new Looked(), new Looked()]
  t.notOk(first.isBuilt)
  first.destroy()
  t.notOk(second.destroyed, 'two streams share no state')
})

t.test('an object that is not an instance has no stream state', async t => {
  const descriptor = Object.getOwnPropertyDescriptor(LazyDuplex.prototype, '_readableState')!
  t.equal(descriptor.get!.call(undefined), undefined)
  t.equal(descriptor.get!.call({}), undefined)
})

t.test('an idle one takes less than a quarter of the memory of a built one', async t => {
  // as many as make what the rest of the process does meanwhile unimportant
  const count = 20_000
  const many = (use: (stream: Shouting) => void) =>
    held(() =>
      Array.from({ length: count }, () => {
        const stream = new Shouting()
        use(stream)
        return stream
      })
    )
  const idle = many(() => {})
  const built = many(stream => stream.readableLength)
  t.ok(idle < built / 4, `${idle / count} and ${built / count} bytes`)
})

t.test('an emitter with a prepared list of listeners works like any other', async t => {
  const emitter = new EventEmitter()
  prepareListeners(emitter)
  t.same(emitter.eventNames(), [])
  for (const name of ['constructor', 'toString', '__proto__', 'hasOwnProperty', 'message']) {
    const got: unknown[] = []
    const listener = (value: unknown): void => {
      got.push(value)
    }
    t.equal(emitter.listenerCount(name), 0, name)
    t.equal(emitter.emit(name, 1), false, name)
    emitter.on(name, listener)
    t.same(emitter.eventNames(), [name])
    t.equal(emitter.emit(name, 2), true)
    emitter.off(name, listener)
    t.equal(emitter.emit(name, 3), false)
    t.same(got, [2], name)
    t.same(emitter.eventNames(), [])
    prepareListeners(emitter)
  }
  t.throws(() => emitter.emit('error', new Error('nobody listens')), { message: 'nobody listens' })
})
