// Compresses or inflates raw DEFLATE like zlib-engine.ts, but only with documented API of Node: for versions of Node with a different
// implementation of zlib. Slower, since each piece of work goes through the thread pool and stream events. Knows nothing of messages.

import type { DeflateRaw, InflateRaw } from 'node:zlib'
import { builtin } from '../runtime/builtin.js'
import { Buffer, nextTick, outsideContexts } from '../runtime/node.js'
import {
  BLOCK_HEADER,
  type Engine,
  type EngineKind,
  engineError,
  type PoolUser,
  SYNC_FLUSH,
  type ZlibFailure
} from './engine.js'
import { type Job, jobs } from './zlib-jobs.js'

/** A zlib stream with its documented API. */
type ZlibStream = DeflateRaw | InflateRaw

export class StreamEngine implements Engine, Job {
  readonly direct = null
  consumed = 0
  produced = 0

  // created for the first work, and again after each reset
  private stream: ZlibStream | null = null
  private dictionary: Buffer | undefined = undefined
  private failure: ZlibFailure | null = null
  private closed = false
  // whether a final block ended the stream
  private isOver = false
  // bytes given to the stream, bytes reported as consumed, and writes in progress
  private given = 0
  private told = 0
  private writes = 0
  // the state of the current work
  private state: 'idle' | 'waiting' | 'working' | 'done' = 'idle'
  private user: PoolUser | null = null
  private input: Uint8Array | null = null
  private output: Uint8Array | null = null
  private room = 0

  constructor(readonly kind: EngineKind) {}

  get isBroken(): boolean {
    return this.failure !== null
  }

  runInPool(input: Uint8Array, output: Uint8Array, room: number, concurrency: number, user: PoolUser): void {
    this.input = input
    this.output = output
    this.room = room
    this.user = user
    this.state = 'waiting'
    this.produced = 0
    jobs.enter(this, concurrency)
  }

  begin(): void {
    if (this.closed) {
      jobs.leave()
      return
    }
    this.state = 'working'
    this.stream ??= outsideContexts(() => this.open())
    // the stream still has the unused input of the previous run
    const fresh = this.input!.subarray(this.given - this.told)
    if (fresh.length > 0 && !this.isOver) this.write(fresh)
    this.advance()
  }

  private open(): ZlibStream {
    const { does, windowBits, level, memLevel } = this.kind
    const { dictionary } = this
    const common = { windowBits, flush: SYNC_FLUSH, ...(dictionary === undefined ? {} : { dictionary }) }
    const zlib = builtin('node:zlib')
    const stream =
      does === 'deflate' ? zlib.createDeflateRaw({ ...common, level, memLevel }) : zlib.createInflateRaw(common)
    // the stream may have been replaced by then
    const current = (run: () => void) => (): void => {
      if (stream === this.stream) run()
    }
    stream.on(
      'readable',
      current(() => this.advance())
    )
    stream.on(
      'end',
      current(() => this.ended())
    )
    stream.on('error', error => current(() => this.failed(error))())
    return stream
  }

  private write(bytes: Uint8Array): void {
    const stream = this.stream!
    this.given += bytes.length
    this.writes++
    stream.write(bytes, error => {
      // an error is reported by its own event
      if (error || stream !== this.stream) return
      this.writes--
      this.advance()
    })
  }

  private ended(): void {
    this.isOver = true
    this.advance()
  }

  private failed({ message, code }: NodeJS.ErrnoException): void {
    this.failure = { message, name: code! }
    this.advance()
  }

  /** Takes output while there is room. The stream's own buffer limits what it produces ahead. */
  private advance(): void {
    if (this.state !== 'working') return
    const stream = this.stream!
    const output = this.output!
    while (this.produced < this.room) {
      const piece: Buffer | null = stream.read(Math.min(this.room - this.produced, Math.max(stream.readableLength, 1)))
      if (piece === null) break
      output.set(piece, this.produced)
      this.produced += piece.length
    }
    const isAllTaken = this.writes === 0 && stream.readableLength === 0
    if (this.produced < this.room && !isAllTaken && !this.isOver && this.failure === null) return
    this.state = 'done'
    nextTick(finish, this)
  }

  /** @internal */
  finishPool(): void {
    const { user, failure, stream } = this
    // closed meanwhile
    if (user === null) return
    this.user = this.input = this.output = null
    this.state = 'idle'
    this.consumed = stream!.bytesWritten - this.told
    this.told += this.consumed
    jobs.leave()
    user.poolDone(failure === null ? null : engineError(this.kind, failure))
  }

  restore(block: Buffer, size: number): void {
    this.dictionary = Buffer.from(block.subarray(BLOCK_HEADER, size))
  }

  reset(): void {
    this.stream?.destroy()
    this.stream = null
    this.dictionary = undefined
    this.isOver = false
    this.given = this.told = this.writes = 0
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    this.reset()
    this.user = this.input = this.output = null
    // a waiting job notices that it is closed when its turn comes
    if (this.state === 'working' || this.state === 'done') jobs.leave()
    this.state = 'idle'
  }
}

function finish(engine: StreamEngine): void {
  engine.finishPool()
}

/** Deflates a payload synchronously without reference to earlier data, and flushes. */
export function deflateAtOnce({ windowBits, level, memLevel }: EngineKind, payload: Uint8Array): Buffer {
  return builtin('node:zlib').deflateRawSync(payload, { windowBits, level, memLevel, finishFlush: SYNC_FLUSH })
}
