import { inflateRawSync } from 'node:zlib'
import t from 'tap'
import type { WebSocketError } from '../../lib/errors.js'
import type { Engine, EngineKind, PoolUser } from '../../lib/extensions/engine.js'
import { History } from '../../lib/extensions/history.js'
import { StreamEngine } from '../../lib/extensions/stream-engine.js'
import { ZlibEngine } from '../../lib/extensions/zlib-engine.js'
import { JobQueue } from '../../lib/extensions/zlib-jobs.js'
import { deflateFinal, json, noise } from './codecs.js'

const INFLATE = { does: 'inflate', windowBits: 15 } as const
const DEFLATE = { does: 'deflate', windowBits: 12, level: 6, memLevel: 5 } as const

function inPool(engine: Engine, input: Buffer, output: Buffer, concurrency = 1): Promise<WebSocketError | null> {
  return new Promise(resolve => {
    const user: PoolUser = { poolDone: resolve }
    engine.runInPool(input, output, output.length, concurrency, user)
  })
}

const PROVEN = { jobs: new JobQueue(), isProven: true }
const UNPROVEN = { jobs: new JobQueue(), isProven: false }

/** Engines on the handles of zlib's streams, in the thread pool or synchronously instead, and on these streams. */
const MAKE: Record<string, (kind: EngineKind) => Engine> = {
  'by handles': kind => new ZlibEngine(kind, { jobs: new JobQueue(), isProven: true }),
  'by handles, not proven': kind => new ZlibEngine(kind, { jobs: new JobQueue(), isProven: false }),
  'by streams': kind => new StreamEngine(kind)
}

/** Inflates with this much memory for output at a time. */
async function inflateBy(engine: Engine, input: Buffer, room: number, isAtOnce: (turn: number) => boolean) {
  const pieces: Buffer[] = []
  const output = Buffer.alloc(room)
  let at = 0
  for (let turn = 0; ; turn++) {
    if (isAtOnce(turn)) engine.direct!.run(input, at, input.length - at, output, 0, room)
    else if ((await inPool(engine, input.subarray(at), output)) !== null) throw new Error('it failed')
    at += engine.consumed
    pieces.push(Buffer.from(output.subarray(0, engine.produced)))
    if (engine.produced < room) break
  }
  return { plain: Buffer.concat(pieces), used: at }
}

for (const [name, make] of Object.entries(MAKE)) {
  t.test(`it stops when the output is full, and continues from there, ${name}`, async t => {
    const plain = Buffer.from(json(100_000))
    const input = deflateFinal(plain)
    const ways = make(INFLATE).direct === null ? [false] : [false, true, 'in turn']
    for (const way of ways) {
      for (const room of [3000, 70_000, plain.length]) {
        const engine = make(INFLATE)
        const inflated = await inflateBy(engine, input, room, turn =>
          way === 'in turn' ? turn % 2 === 0 : way === true
        )
        t.ok(inflated.plain.equals(plain), `${way}, ${room}`)
        t.equal(inflated.used, input.length)
        engine.close()
      }
    }
  })

  t.test(`input after a final block is left, and a reset starts anew, ${name}`, async t => {
    const input = Buffer.concat([deflateFinal(Buffer.from('one')), Buffer.from('rest')])
    const engine = make(INFLATE)
    const output = Buffer.alloc(100)
    for (const way of ['pool', 'at once'] as const) {
      if (way === 'at once' && engine.direct === null) continue
      if (way === 'pool') await inPool(engine, input, output)
      else engine.direct!.run(input, 0, input.length, output, 0, 100)
      t.equal(engine.consumed, input.length - 4)
      t.equal(engine.produced, 3)
      t.equal(await inPool(engine, input.subarray(-4), output), null)
      t.equal(engine.consumed, 0)
      t.equal(engine.produced, 0)
      engine.reset()
      t.equal(await inPool(engine, deflateFinal(Buffer.from('two')), output), null)
      t.equal(output.toString('utf8', 0, 3), 'two')
      engine.reset()
    }
    engine.close()
  })

  t.test(`malformed data is an error, ${name}`, async t => {
    const bad = Buffer.from([7, 7, 7])
    const engine = make(INFLATE)
    t.equal(engine.isBroken, false)
    t.match(await inPool(engine, bad, Buffer.alloc(9)), {
      code: 'WS_ERR_INVALID_COMPRESSED_DATA',
      closeCode: 1007,
      details: { zlib: 'Z_DATA_ERROR' }
    })
    t.equal(engine.isBroken, true)
    engine.close()
    const { direct } = make(INFLATE)
    if (direct === null) return
    t.throws(() => direct.run(bad, 0, 3, Buffer.alloc(9), 0, 9), { code: 'WS_ERR_INVALID_COMPRESSED_DATA' })
    t.equal(direct.isBroken, true)
    direct.close()
  })

  t.test(`a window is kept, filled and reset, ${name}`, async t => {
    const text = Buffer.from(json(400))
    const output = Buffer.alloc(1000)
    const deflate = make(DEFLATE)
    const packed: Buffer[] = []
    for (let i = 0; i < 3; i++) {
      if (i === 2) deflate.reset()
      await inPool(deflate, text, output)
      t.equal(deflate.consumed, text.length)
      packed.push(Buffer.from(output.subarray(0, deflate.produced)))
    }
    t.ok(packed[1]!.length < packed[0]!.length / 2)
    t.ok(packed[2]!.equals(packed[0]!))
    const history = new History(4096)
    history.add(text, 0, text.length)
    const inflate = make(INFLATE)
    history.restore(inflate)
    t.equal(await inPool(inflate, packed[1]!, output), null)
    t.ok(output.subarray(0, inflate.produced).equals(text))
    inflate.reset()
    t.match(await inPool(inflate, packed[1]!, output), { code: 'WS_ERR_INVALID_COMPRESSED_DATA' }, 'forgotten')
    deflate.close()
    inflate.close()
  })

  t.test(`a reset and a close while output waits to be read, ${name}`, async t => {
    const input = deflateFinal(Buffer.alloc(2 ** 20))
    const engine = make(INFLATE)
    const output = Buffer.alloc(100)
    for (let i = 0; i < 2; i++) {
      t.equal(await inPool(engine, input, output), null)
      t.equal(engine.produced, 100)
      engine.reset()
    }
    t.equal(await inPool(engine, input, output), null)
    // its result is ready, and is reported in a later turn
    engine.runInPool(input.subarray(engine.consumed), output, 100, 1, { poolDone: () => t.fail('told') })
    engine.close()
    engine.close()
    await new Promise(resolve => setTimeout(resolve, 20))
    t.equal(engine.isBroken, false)
  })
}

t.test('with streams, a bomb is inflated at most one buffer ahead of the reader', async t => {
  const input = deflateFinal(Buffer.alloc(2 ** 26))
  const engine = new StreamEngine(INFLATE)
  const output = Buffer.alloc(1000)
  const { stream } = await (async () => {
    await inPool(engine, input, output)
    return engine as unknown as { stream: { readableLength: number; bytesWritten: number } }
  })()
  await new Promise(resolve => setTimeout(resolve, 50))
  t.equal(engine.produced, 1000)
  t.ok(stream.readableLength <= 65_536 + 16_384, `${stream.readableLength} bytes wait`)
  t.ok(stream.bytesWritten < input.length / 100, `${stream.bytesWritten} bytes of ${input.length} are used`)
  engine.close()
})

t.test('an engine that fails in the thread pool before that is proven notifies its user once', async t => {
  const engine = new ZlibEngine(DEFLATE, { jobs: new JobQueue(), isProven: false })
  const done = inPool(engine, noise(10), Buffer.alloc(99))
  engine.failed('out of memory', 'Z_MEM_ERROR')
  t.match(await done, { code: 'WS_ERR_EXTENSION', fault: 'local', details: { zlib: 'Z_MEM_ERROR' } })
  engine.close()
})

t.test('a failure while compressing is our own fault', async t => {
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

for (const [name, make] of Object.entries({
  ...MAKE,
  'by handles': (kind: EngineKind) => new ZlibEngine(kind, PROVEN),
  'by handles, not proven': (kind: EngineKind) => new ZlibEngine(kind, UNPROVEN)
})) {
  t.test(`the number of engines in the thread pool is limited, ${name}`, async t => {
    const input = noise(30_000)
    const engines = Array.from({ length: 20 }, () => make(DEFLATE))
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

  t.test(`A27: closed before its turn, in it, and twice: no user is notified, and later jobs run, ${name}`, async t => {
    const input = noise(30_000)
    const engines = Array.from({ length: 5 }, () => make(DEFLATE))
    const told: number[] = []
    for (const [i, engine] of engines.entries()) {
      engine.runInPool(input, Buffer.alloc(40_000), 40_000, 1, { poolDone: () => told.push(i) })
    }
    for (const i of [0, 1, 3]) engines[i]!.close()
    engines[0]!.close()
    const last = make(DEFLATE)
    await inPool(last, input, Buffer.alloc(40_000))
    t.same(told, [2, 4])
    for (const engine of [...engines, last]) engine.close()
  })
}
