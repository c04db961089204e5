// Compresses or inflates raw DEFLATE into memory of the caller (RFC 1951). One engine is one node:zlib stream with its window. Knows
// nothing of messages.
//
// It uses the handle of a node:zlib stream, as pngjs and minizlib do: `writeSync` does small work synchronously, and stops when the
// caller's memory is full; the stream itself would use the thread pool, events and buffers for it. Work in the thread pool goes through
// `_processChunk`, as in the stream itself. Both are unchanged in Node 20 to 26; zlib-probe.ts tests whether they work as expected, and
// stream-engine.ts replaces this file if they do not.

import type { DeflateRaw } from 'node:zlib'
import type { WebSocketError } from '../errors.js'
import { builtin } from '../runtime/builtin.js'
import { Buffer, nextTick, setImmediate } from '../runtime/node.js'
import { type Engine, type EngineKind, engineError, type PoolUser, SYNC_FLUSH, type ZlibFailure } from './engine.js'
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
  /** Unused bytes of output and of input after the last call. */
  _writeState: Uint32Array
  _outBuffer: Uint8Array
  _outOffset: number
  _chunkSize: number
  _processChunk(chunk: Uint8Array, flush: number, done: () => void): void
}

/** Size of the stream's own output buffer, which is not used; the smallest allowed. */
const CHUNK_SIZE = 64

/** How work gets to the thread pool. */
export interface PoolWay {
  readonly jobs: JobQueue
  /** Whether `_processChunk` is known to work as expected. Until then the work is done synchronously, in its own turn. */
  isProven: boolean
}

/** The value for this process. */
export const poolWay: PoolWay = { jobs, isProven: false }

// receives the content of a stored block, which is known already
const discarded = Buffer.allocUnsafeSlow(2 ** 15 + 1)

export class ZlibEngine implements Engine, Job {
  consumed = 0
  produced = 0
  readonly direct = this

  private readonly stream: ZlibStream
  private readonly handle: Handle
  private readonly left: Uint32Array
  private failure: ZlibFailure | null = null
  private closed = false
  // the work in the thread pool
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
    // replaced, since the stream's own listener would destroy the stream and emit an error later
    this.handle.onerror = onError
  }

  get isBroken(): boolean {
    return this.failure !== null
  }

  /**
   * Processes `input[start, start + size)`, and flushes. Writes to `output` from `at` on; if that is full, the rest of the input is left.
   * @throws WebSocketError if the input is malformed
   */
  run(input: Uint8Array, start: number, size: number, output: Uint8Array, at: number, room: number): void {
    this.handle.writeSync(SYNC_FLUSH, input, start, size, output, at, room)
    if (this.failure !== null) throw this.error()
    this.consumed = size - this.left[1]!
    this.produced = room - this.left[0]!
  }

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

  /** Replaces the stream's `push`: takes one piece, and returns false so that the stream waits for `_read` if there is more. */
  private pushed(piece: Uint8Array | null): boolean {
    if (piece === null || this.left[0] !== 0) return false
    const { stream } = this
    // allocate no buffer for the rest: the next run provides one
    stream._chunkSize = CHUNK_SIZE
    nextTick(finish, this)
    nextTick(forgetRead, stream)
    return false
  }

  /** @internal */
  failed(message: string, name: string): void {
    this.failure = { message, name }
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
    user.poolDone(this.failure === null ? null : this.error())
  }

  private error(): WebSocketError {
    return engineError(this.kind, this.failure!)
  }

  restore(block: Buffer, size: number): void {
    this.run(block, 0, size, discarded, 0, discarded.length)
  }

  reset(): void {
    this.stream.reset()
  }

  /** Frees its memory, after work in the thread pool, whose user is then not notified. */
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

// the continuation that it set up would keep the memory of this run alive
function forgetRead(stream: { _read?: unknown }): void {
  delete stream._read
}
