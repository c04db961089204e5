// Tests once whether ZlibEngine works with the zlib of this Node, by compressing and inflating a few bytes through the handles of zlib
// streams. The result for synchronous work is known at once, that for the thread pool a little later.

import { Buffer, outsideContexts } from '../runtime/node.js'
import type { EngineKind, PoolUser } from './engine.js'
import { type PoolWay, poolWay, ZlibEngine } from './zlib-engine.js'
import { JobQueue } from './zlib-jobs.js'

type Make = (kind: EngineKind, way: PoolWay) => ZlibEngine

const DEFLATE: EngineKind = { does: 'deflate', windowBits: 9, level: 6, memLevel: 1 }
const INFLATE: EngineKind = { does: 'inflate', windowBits: 9 }
const PLAIN = Buffer.from(
  'a stream of zlib is what it was, and so is its handle, and its handle is that of a stream of zlib'
)
/** No DEFLATE block starts like this (RFC 1951 §3.2.3). */
const BAD = Buffer.from([7, 7, 7])

export class ZlibProbe {
  /** Resolves when the work in the thread pool has been tested too. */
  answered: Promise<void> = Promise.resolve()
  private result: 'unknown' | 'passed' | 'failed' = 'unknown'

  /**
   * @param make - makes the engines to test
   * @param way - gets the result for the thread pool
   */
  constructor(
    private readonly make: Make = (kind, way) => new ZlibEngine(kind, way),
    private readonly way = poolWay
  ) {}

  /** Whether ZlibEngine can be used. */
  get isPassed(): boolean {
    this.begin()
    return this.result === 'passed'
  }

  /** Starts the test, if it has not been started. */
  begin(): void {
    if (this.result !== 'unknown') return
    // the test belongs to no connection
    outsideContexts(() => {
      this.result = this.worksAtOnce() ? 'passed' : 'failed'
      if (this.result === 'passed') this.answered = this.lookAtPool()
    })
  }

  private worksAtOnce(): boolean {
    const engines: ZlibEngine[] = []
    const make = (kind: EngineKind): ZlibEngine => {
      const engine = this.make(kind, this.way)
      engines.push(engine)
      return engine
    }
    let isRight = false
    try {
      isRight = passesAll(make)
    } catch {
      // an internal is missing, or the data was not inflated
    }
    for (const engine of engines) engine.close()
    return isRight
  }

  private async lookAtPool(): Promise<void> {
    // a queue of its own: a job that never ends must not block others
    const way = { jobs: new JobQueue(), isProven: true }
    const [deflate, inflate] = [this.make(DEFLATE, way), this.make(INFLATE, way)]
    const packed = Buffer.alloc(2 * PLAIN.length)
    const plain = Buffer.alloc(2 * PLAIN.length)
    try {
      await inPool(deflate, PLAIN, packed, packed.length)
      const input = packed.subarray(0, deflate.produced)
      // the output buffer is too small at first
      const room = PLAIN.length >> 1
      await inPool(inflate, input, plain, room)
      const { consumed, produced } = inflate
      await inPool(inflate, input.subarray(consumed), plain.subarray(room), plain.length - room)
      const isRight = produced === room && plain.subarray(0, room + inflate.produced).equals(PLAIN)
      this.way.isProven = isRight
      if (!isRight) this.result = 'failed'
    } catch {
      this.result = 'failed'
    }
    deflate.close()
    inflate.close()
  }
}

function passesAll(make: (kind: EngineKind) => ZlibEngine): boolean {
  const output = Buffer.alloc(2 * PLAIN.length)
  const [deflate, inflate] = [make(DEFLATE), make(INFLATE)]
  const first = compress(deflate, output)
  // a window is kept until it is reset
  const second = compress(deflate, output)
  deflate.reset()
  if (second.length >= first.length || !compress(deflate, output).equals(first)) return false
  return isInflated(inflate, first, output) && isInflated(inflate, second, output) && isRefused(make(INFLATE))
}

function compress(engine: ZlibEngine, output: Buffer): Buffer {
  engine.run(PLAIN, 0, PLAIN.length, output, 0, output.length)
  return Buffer.from(output.subarray(0, engine.produced))
}

/** Whether inflating yields all data, in two runs; the first has too little room. */
function isInflated(engine: ZlibEngine, input: Buffer, output: Buffer): boolean {
  const room = PLAIN.length >> 1
  engine.run(input, 0, input.length, output, 0, room)
  const { consumed, produced } = engine
  engine.run(input, consumed, input.length - consumed, output, room, output.length - room)
  const isUsedUp = consumed + engine.consumed === input.length
  return isUsedUp && produced === room && output.subarray(0, room + engine.produced).equals(PLAIN)
}

function isRefused(engine: ZlibEngine): boolean {
  try {
    engine.run(BAD, 0, BAD.length, Buffer.alloc(BAD.length), 0, BAD.length)
    return false
  } catch {
    return engine.isBroken
  }
}

function inPool(engine: ZlibEngine, input: Buffer, output: Buffer, room: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const user: PoolUser = { poolDone: error => (error === null ? resolve() : reject(error)) }
    engine.runInPool(input, output, room, 1, user)
  })
}

/** The probe of this process. */
export const zlibProbe = new ZlibProbe()
