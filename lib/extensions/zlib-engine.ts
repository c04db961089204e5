// Bytes come in, raw DEFLATE bytes or what they stand for come out, into memory that the caller has (RFC 1951). One engine is one
// stream of node:zlib, with its window. Knows nothing of messages.
//
// A stream of node:zlib is driven through its handle, as pngjs and minizlib do: `writeSync` does small work at once, where the
// stream's own ways take a trip to the thread pool and make events and buffers, and it stops when the caller's memory is full.
// Work in the pool goes through `_processChunk`, which is what the stream itself does. Both are the same in Node 20 to 26; zlib-probe.ts
// finds out whether they are as expected, and stream-engine.ts stands in where they are not.

import type { DeflateRaw } from 'node:zlib'
import type { WebSocketError } from '../errors.js'
import { builtin } from '../runtime/builtin.js'
import { Buffer, nextTick, setImmediate } from '../runtime/node.js'
import { type Engine, type EngineFault, type EngineKind, engineFailure, type PoolUser, SYNC_FLUSH } from './engine.js'
import { type Job, type JobQueue, jobs } from './zlib-jobs.js'

interface Handle {
  writeSync(
    flush: number,
    input: Uint8Array,
    start: number,
    size: number,
    output: Uint8Array,
    at: number,
    room: number
  ): void
  onerror: (this: Handle, message: string, errno: number, name: string) => void
  engine?: ZlibEngine
}

interface ZlibStream extends DeflateRaw {
  _handle: Handle
  /** Bytes of room that the last call left, and bytes of input. */
  _writeState: Uint32Array
  _outBuffer: Uint8Array
  _outOffset: number
  _chunkSize: number
  _processChunk(chunk: Uint8Array, flush: number, done: () => void): void
}

/** What a stream allocates for itself, and is not used here; the least it takes. */
const CHUNK_SIZE = 64

/** How work gets to the thread pool. */
export interface PoolWay {
  readonly jobs: JobQueue
  /** Whether `_processChunk` is known to do what it should. Until then such work is done at once, in a turn of its own. */
  isProven: boolean
}

/** The one of this process. */
export const poolWay: PoolWay = { jobs, isProven: false }

// what a stored block stands for is known already
const discarded = Buffer.allocUnsafeSlow(2 ** 15 + 1)

export class ZlibEngine implements Engine, Job {
  /** Bytes of input that the last run used. */
  consumed = 0
  /** Bytes of output that the last run made. */
  produced = 0
  readonly direct = this

  private readonly stream: ZlibStream
  private readonly handle: Handle
  private readonly left: Uint32Array
  private fault: EngineFault | null = null
  private closed = false
  // work in the pool
  private user: PoolUser | null = null
  private input: Uint8Array | null = null
  private output: Uint8Array | null = null
  private room = 0
  private onDone: (() => void) | null = null

  constructor(
    readonly kind: EngineKind,
    private readonly way: PoolWay = poolWay
  ) {
    const { windowBits, level, memLevel } = kind
    const options = { windowBits, chunkSize: CHUNK_SIZE, ...(kind.does === 'deflate' ? { level, memLevel } : {}) }
    const zlib = builtin('node:zlib')
    const stream = (
      kind.does === 'deflate' ? zlib.createDeflateRaw(options) : zlib.createInflateRaw(options)
    ) as ZlibStream
    this.stream = stream
    this.left = stream._writeState
    this.handle = stream._handle
    this.handle.engine = this
    // the stream's own listener would destroy it and emit an error later, without a listener
    this.handle.onerror = onError
  }

  /** Whether it has failed, and is of no more use. */
  get isBroken(): boolean {
    return this.fault !== null
  }

  /**
   * Works on `input[start, start + size)`, and flushes. What comes of it goes to `output` from `at` on; where that fills up, the
   * rest of the input is left.
   * @throws WebSocketError where the input is malformed
   */
  run(input: Uint8Array, start: number, size: number, output: Uint8Array, at: number, room: number): void {
    this.handle.writeSync(SYNC_FLUSH, input, start, size, output, at, room)
    if (this.fault !== null) throw this.failure()
    this.consumed = size - this.left[1]!
    this.produced = room - this.left[0]!
  }

  /**
   * The same in the thread pool, all of `input` to all of `output`, which are left alone until `user` is told.
   * @param concurrency - jobs of the process at once
   */
  runInPool(input: Uint8Array, output: Uint8Array, room: number, concurrency: number, user: PoolUser): void {
    this.input = input
    this.output = output
    this.room = room
    this.user = user
    this.way.jobs.enter(this, concurrency)
  }

  begin(): void {
    const { stream, way } = this
    if (this.closed) {
      way.jobs.leave()
      return
    }
    if (!way.isProven) {
      setImmediate(() => this.workNow())
      return
    }
    if (this.onDone === null) {
      this.onDone = () => finish(this)
      stream.push = (piece: Uint8Array | null) => this.pushed(piece)
    }
    stream._outBuffer = this.output!
    stream._outOffset = 0
    stream._chunkSize = this.room
    stream._processChunk(this.input!, SYNC_FLUSH, this.onDone)
  }

  private workNow(): void {
    if (!this.closed) this.handle.writeSync(SYNC_FLUSH, this.input!, 0, this.input!.length, this.output!, 0, this.room)
    this.finishPool()
  }

  /** What the stream would give to its readers: one piece, and then it waits for `_read` where there is more. */
  private pushed(piece: Uint8Array | null): boolean {
    if (piece === null || this.left[0] !== 0) return false
    const { stream } = this
    // no memory for what it does not come to: the next run says where to go on
    stream._chunkSize = CHUNK_SIZE
    nextTick(finish, this)
    nextTick(forgetRead, stream)
    return false
  }

  /** @internal */
  failed(message: string, name: string): void {
    this.fault = { detail: message, name }
    if (this.user !== null) nextTick(finish, this)
  }

  /** @internal */
  finishPool(): void {
    const { user, input } = this
    if (user === null) return
    this.user = this.input = this.output = null
    this.way.jobs.leave()
    if (this.closed) return
    this.stream._outBuffer = NOTHING
    this.consumed = input!.length - this.left[1]!
    this.produced = this.room - this.left[0]!
    user.poolDone(this.fault === null ? null : this.failure())
  }

  private failure(): WebSocketError {
    return engineFailure(this.kind, this.fault!)
  }

  restore(block: Buffer, size: number): void {
    this.run(block, 0, size, discarded, 0, discarded.length)
  }

  /** Forgets all that came before. Not while work is in the pool. */
  reset(): void {
    this.stream.reset()
  }

  /** Frees its memory; behind work in the pool, whose user is then not told. */
  close(): void {
    if (this.closed) return
    this.closed = true
    this.stream.close()
  }
}

const NOTHING = new Uint8Array(0)

function onError(this: Handle, message: string, _errno: number, name: string): void {
  this.engine!.failed(message, name)
}

function finish(engine: ZlibEngine): void {
  engine.finishPool()
}

// what it set up to go on with holds the memory of this run
function forgetRead(stream: { _read?: unknown }): void {
  delete stream._read
}
