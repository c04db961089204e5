import { AsyncLocalStorage } from 'node:async_hooks'
import t from 'tap'
import type { Engine, EngineKind } from '../../lib/extensions/engine.js'
import { EnginePool, keyOf } from '../../lib/extensions/engine-pool.js'
import { IdleSweeper } from '../../lib/extensions/idle-sweeper.js'
import { ZlibEngine } from '../../lib/extensions/zlib-engine.js'
import { deflate, json } from './codecs.js'

const INFLATE: EngineKind = { does: 'inflate', windowBits: 10 }
const DEFLATE: EngineKind = { does: 'deflate', windowBits: 10, level: 1, memLevel: 1 }

const isClosed = (engine: Engine): boolean => (engine as unknown as { closed: boolean }).closed

t.test('an engine that was put back is reused, as good as new, for the same kind', async t => {
  const sweeper = new IdleSweeper(1e6)
  const pool = new EnginePool(sweeper)
  const engine = pool.take(INFLATE)
  const input = Buffer.concat([deflate(Buffer.from(json(300))), Buffer.from([0, 0, 0xff, 0xff])])
  const output = Buffer.alloc(1000)
  engine.direct!.run(input, 0, 20, output, 0, 1000)
  pool.put(engine)
  t.not(pool.take({ ...INFLATE, windowBits: 11 }), engine)
  t.not(pool.take(DEFLATE), engine)
  t.equal(pool.take(INFLATE), engine)
  t.not(pool.take(INFLATE), engine)
  engine.direct!.run(input, 0, input.length, output, 0, 1000)
  t.equal(output.toString('latin1', 0, engine.produced), json(300))
})

t.test('each kind has a number of its own', async t => {
  const keys = new Set<number>()
  let kinds = 0
  for (const does of ['deflate', 'inflate'] as const) {
    for (let windowBits = 8; windowBits <= 15; windowBits++) {
      for (let level = 0; level <= 9; level++) {
        for (let memLevel = 1; memLevel <= 9; memLevel++) {
          keys.add(keyOf({ does, windowBits, level, memLevel }))
          kinds++
        }
      }
    }
  }
  t.equal(keys.size, kinds)
})

t.test('a few engines of each kind are kept', async t => {
  const pool = new EnginePool(new IdleSweeper(1e6))
  const engines = Array.from({ length: 20 }, () => pool.take(DEFLATE))
  for (const engine of engines) pool.put(engine)
  t.equal(engines.filter(engine => !isClosed(engine)).length, 8)
})

t.test('a failed engine is not kept', async t => {
  const pool = new EnginePool(new IdleSweeper(1e6))
  const engine = pool.take(INFLATE)
  t.throws(() => engine.direct!.run(Buffer.from([7]), 0, 1, Buffer.alloc(9), 0, 9))
  pool.put(engine)
  t.equal(isClosed(engine), true)
  t.not(pool.take(INFLATE), engine)
})

t.test('engines are released when none was taken for a while', async t => {
  const sweeper = new IdleSweeper(1e6)
  const pool = new EnginePool(sweeper)
  const engine = pool.take(INFLATE)
  pool.put(engine)
  t.equal(sweeper.size, 1)
  sweeper.sweep()
  t.equal(pool.take(INFLATE), engine)
  pool.put(engine)
  sweeper.sweep()
  t.equal(isClosed(engine), false)
  sweeper.sweep()
  t.equal(isClosed(engine), true)
  t.equal(sweeper.size, 0)
  const other = pool.take(INFLATE)
  t.not(other, engine)
  pool.put(other)
  t.equal(sweeper.size, 1)
  pool.release()
})

t.test(
  'an engine is made outside of any asynchronous context, since it outlives the connection that requested it',
  async t => {
    const storage = new AsyncLocalStorage<string>()
    const contexts: unknown[] = []
    const pool = new EnginePool(new IdleSweeper(1e6), kind => {
      contexts.push(storage.getStore())
      return new ZlibEngine(kind)
    })
    storage.run('a connection', () => pool.take(INFLATE)).close()
    t.same(contexts, [undefined])
  }
)
