// The verdict of the probe on a zlib that works as expected, and on ones in which a part is missing or works differently.

import { AsyncLocalStorage } from 'node:async_hooks'
import t from 'tap'
import { EnginePool } from '../../lib/extensions/engine-pool.js'
import { IdleSweeper } from '../../lib/extensions/idle-sweeper.js'
import { StreamEngine } from '../../lib/extensions/stream-engine.js'
import { ZlibEngine } from '../../lib/extensions/zlib-engine.js'
import { JobQueue } from '../../lib/extensions/zlib-jobs.js'
import { ZlibProbe, zlibProbe } from '../../lib/extensions/zlib-probe.js'

const newWay = () => ({ jobs: new JobQueue(), isProven: false })

t.test('the zlib of this Node works as expected, synchronously and in the thread pool', async t => {
  t.equal(zlibProbe.isPassed, true)
  await zlibProbe.answered
  t.equal(zlibProbe.isPassed, true)
  const way = newWay()
  const probe = new ZlibProbe(undefined, way)
  probe.begin()
  const { answered } = probe
  t.equal(way.isProven, false, 'what is done in the thread pool is not known yet')
  await answered
  t.equal(way.isProven, true)
  t.equal(probe.isPassed, true)
  t.equal(probe.answered, answered, 'it looks once')
})

type Run = ZlibEngine['run']
type Change = (engine: ZlibEngine, run: Run) => void

const internals = (engine: ZlibEngine) =>
  engine as unknown as { stream: Record<string, unknown>; handle: Record<string, unknown> }

/** Engines that work differently when used synchronously. */
const AT_ONCE: Record<string, Change> = {
  'there is no writeSync': engine => {
    internals(engine).handle = {}
  },
  'nothing comes of it': engine => {
    engine.run = () => {}
  },
  'the output is wrong': (engine, run) => {
    engine.run = (...args) => {
      run.apply(engine, args)
      const [, , , output, at] = args
      output[at + 3]! ^= 1
    }
  },
  'no window is kept': (engine, run) => {
    engine.run = (...args) => {
      run.apply(engine, args)
      engine.reset()
    }
  },
  'a reset does nothing': engine => {
    engine.reset = () => {}
  },
  'it does not say how much was used': (engine, run) => {
    engine.run = (...args) => {
      run.apply(engine, args)
      engine.consumed = args[2]
    }
  },
  'errors are not told': engine => {
    internals(engine).handle.onerror = () => {}
  }
}

for (const [name, change] of Object.entries(AT_ONCE)) {
  t.test(`synchronous: ${name}`, async t => {
    const made: ZlibEngine[] = []
    const probe = new ZlibProbe((kind, way) => {
      const engine = new ZlibEngine(kind, way)
      change(engine, engine.run)
      made.push(engine)
      return engine
    }, newWay())
    t.equal(probe.isPassed, false)
    for (const engine of made) t.match(engine, { closed: true })
  })
}

t.test('synchronous: a stream without a handle', async t => {
  const probe = new ZlibProbe(() => {
    throw new TypeError('cannot set properties of undefined')
  }, newWay())
  t.equal(probe.isPassed, false)
  await probe.answered
})

/** Engines that work differently in the thread pool. */
const IN_POOL: Record<string, (stream: Record<string, unknown>, engine: ZlibEngine) => void> = {
  'it fails': (stream, engine) => {
    stream._processChunk = () => engine.failed('out of memory', 'Z_MEM_ERROR')
  },
  'there is no _processChunk': stream => {
    stream._processChunk = undefined
  },
  'it makes something else': stream => {
    const { _processChunk: process } = stream as { _processChunk(chunk: Buffer, flush: number, done: () => void): void }
    stream._processChunk = (_: Buffer, flush: number, done: () => void) =>
      process.call(stream, Buffer.from('x'), flush, done)
  }
}

for (const [name, change] of Object.entries(IN_POOL)) {
  t.test(`in the thread pool: ${name}`, async t => {
    const way = newWay()
    const probe = new ZlibProbe((kind, way) => {
      const engine = new ZlibEngine(kind, way)
      change(internals(engine).stream, engine)
      return engine
    }, way)
    t.equal(probe.isPassed, true)
    await probe.answered
    t.equal(probe.isPassed, false)
    t.equal(way.isProven, false)
  })
}

t.test('in the thread pool: an end that is never reported keeps work out of it, and blocks nothing', async t => {
  const way = newWay()
  const probe = new ZlibProbe((kind, way) => {
    const engine = new ZlibEngine(kind, way)
    internals(engine).stream._processChunk = () => {}
    return engine
  }, way)
  t.equal(probe.isPassed, true)
  const engine = new ZlibEngine({ does: 'deflate', windowBits: 9, level: 1, memLevel: 1 }, way)
  await new Promise<unknown>(poolDone => engine.runInPool(Buffer.from('a'), Buffer.alloc(99), 99, 1, { poolDone }))
  t.ok(engine.produced > 0)
  t.equal(way.isProven, false)
  engine.close()
})

t.test('engines are made according to the result', async t => {
  const kind = { does: 'inflate', windowBits: 9 } as const
  for (const isPassed of [true, false]) {
    const pool = new EnginePool(new IdleSweeper(1e6))
    Object.defineProperty(zlibProbe, 'isPassed', { value: isPassed, configurable: true })
    t.teardown(() => Reflect.deleteProperty(zlibProbe, 'isPassed'))
    const engine = pool.take(kind)
    t.ok(engine instanceof (isPassed ? ZlibEngine : StreamEngine))
    engine.close()
  }
})

t.test('it belongs to no asynchronous context', async t => {
  const storage = new AsyncLocalStorage<string>()
  const seen: unknown[] = []
  const probe = new ZlibProbe((kind, way) => {
    seen.push(storage.getStore())
    return new ZlibEngine(kind, way)
  }, newWay())
  storage.run('a connection', () => probe.begin())
  await probe.answered
  t.ok(seen.length > 0 && seen.every(store => store === undefined))
})
