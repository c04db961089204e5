import { inflateRawSync } from 'node:zlib'
import t from 'tap'
import type { WebSocketError } from '../../lib/errors.js'
import { checkZlib, type PoolUser, ZlibEngine } from '../../lib/extensions/zlib-engine.js'
import { deflateFinal, json, noise } from './codecs.js'

const INFLATE = { does: 'inflate', windowBits: 15 } as const
const DEFLATE = { does: 'deflate', windowBits: 12, level: 6, memLevel: 5 } as const

function inPool(engine: ZlibEngine, input: Buffer, output: Buffer, concurrency = 1): Promise<WebSocketError | null> {
  return new Promise(resolve => {
    const user: PoolUser = { poolDone: resolve }
    engine.runInPool(input, output, output.length, concurrency, user)
  })
}

t.test('it stops where the memory for output ends, and goes on from there, at once and in the thread pool', async t => {
  const plain = Buffer.from(json(100_000))
  const input = deflateFinal(plain)
  for (const way of ['at once', 'pool', 'in turn']) {
    const engine = new ZlibEngine(INFLATE)
    const pieces: Buffer[] = []
    const output = Buffer.alloc(3000)
    let at = 0
    for (let turn = 0; ; turn++) {
      if (way === 'at once' || (way === 'in turn' && turn % 2 === 0)) {
        engine.run(input, at, input.length - at, output, 0, output.length)
      } else {
        t.equal(await inPool(engine, input.subarray(at), output), null)
      }
      at += engine.consumed
      pieces.push(Buffer.from(output.subarray(0, engine.produced)))
      if (engine.produced < output.length) break
    }
    t.ok(Buffer.concat(pieces).equals(plain), way)
    engine.close()
  }
})

t.test('behind a final block input is left', async t => {
  const input = Buffer.concat([deflateFinal(Buffer.from('one')), Buffer.from('rest')])
  for (const pool of [false, true]) {
    const engine = new ZlibEngine(INFLATE)
    const output = Buffer.alloc(100)
    if (pool) await inPool(engine, input, output)
    else engine.run(input, 0, input.length, output, 0, 100)
    t.equal(engine.consumed, input.length - 4)
    t.equal(engine.produced, 3)
    engine.reset()
    const more = deflateFinal(Buffer.from('two'))
    engine.run(more, 0, more.length, output, 10, 90)
    t.equal(output.toString('utf8', 10, 13), 'two')
    engine.close()
  }
})

t.test('bad data is an error, at once and in the thread pool', async t => {
  const bad = Buffer.from([7, 7, 7])
  const engine = new ZlibEngine(INFLATE)
  t.equal(engine.isBroken, false)
  t.throws(() => engine.run(bad, 0, 3, Buffer.alloc(9), 0, 9), { code: 'WS_ERR_INVALID_COMPRESSED_DATA' })
  t.equal(engine.isBroken, true)
  const other = new ZlibEngine(INFLATE)
  t.match(await inPool(other, bad, Buffer.alloc(9)), {
    code: 'WS_ERR_INVALID_COMPRESSED_DATA',
    closeCode: 1007,
    details: { zlib: 'Z_DATA_ERROR' }
  })
  t.equal(other.isBroken, true)
  engine.close()
  other.close()
})

t.test('what fails while compressing is our own fault', async t => {
  const engine = new ZlibEngine(DEFLATE)
  engine.failed('out of memory', 'Z_MEM_ERROR')
  const details = { zlib: 'Z_MEM_ERROR' }
  t.throws(() => engine.run(noise(10), 0, 10, Buffer.alloc(99), 0, 99), {
    code: 'WS_ERR_EXTENSION',
    fault: 'local',
    details
  })
  engine.close()
})

t.test('many engines in the thread pool, no more at once than they say', async t => {
  const input = noise(30_000)
  const engines = Array.from({ length: 20 }, () => new ZlibEngine(DEFLATE))
  const order: number[] = []
  await Promise.all(
    engines.map(async (engine, i) => {
      const output = Buffer.alloc(40_000)
      t.equal(await inPool(engine, input, output), null)
      order.push(i)
      const made = Buffer.concat([output.subarray(0, engine.produced), Buffer.from([1, 0, 0, 0xff, 0xff])])
      t.ok(inflateRawSync(made).equals(input))
      engine.close()
    })
  )
  t.same(
    order,
    [...order].sort((a, b) => a - b)
  )
})

t.test('A27: closed before its turn, in it, and twice: nobody is told, and those behind it have theirs', async t => {
  const input = noise(30_000)
  const engines = Array.from({ length: 5 }, () => new ZlibEngine(DEFLATE))
  const told: number[] = []
  for (const [i, engine] of engines.entries()) {
    engine.runInPool(input, Buffer.alloc(40_000), 40_000, 1, { poolDone: () => told.push(i) })
  }
  for (const i of [0, 1, 3]) engines[i]!.close()
  engines[0]!.close()
  const last = new ZlibEngine(DEFLATE)
  await inPool(last, input, Buffer.alloc(40_000))
  t.same(told, [2, 4])
  for (const engine of [...engines, last]) engine.close()
})

t.test('a zlib that is made otherwise is noticed before anything is negotiated', async t => {
  checkZlib()
  const right = { _handle: { writeSync: () => {} }, _writeState: new Uint32Array(2), _processChunk: () => {} }
  checkZlib(right)
  for (const name of Object.keys(right)) {
    t.throws(() => checkZlib({ ...right, [name]: undefined }), /does not know the zlib of Node v/, name)
  }
})
