// Bytes come in, raw DEFLATE bytes or what they stand for come out, into memory that the caller has (RFC 1951). One engine is one
// stream of node:zlib, with its window. Knows nothing of messages.
//
// A stream of node:zlib is driven through its handle, as pngjs and minizlib do: `writeSync` does small work at once, where the
// stream's own ways take a trip to the thread pool and make events and buffers, and it stops when the caller's memory is full.
// Work in the pool goes through `_processChunk`, which is what the stream itself does. Both are the same in Node 20 to 26.

import { WebSocketError } from '../errors.js'
import { nextTick } from '../runtime/node.js'
import { constants, createDeflateRaw, createInflateRaw, type DeflateRaw } from '../runtime/zlib.js'
import { type Job, jobs } from './zlib-jobs.js'

/** What an engine does, and with how much memory. */
export interface EngineKind {
  readonly does: 'deflate' | 'inflate'
  readonly windowBits: number
  /** Of an engine that deflates. */
  readonly level?: number
  /** Of an engine that deflates. */
  readonly memLevel?: number
}

/** Told when work in the thread pool is done. */
export interface PoolUser {
  /** @param error - why it failed, or null */
  poolDone(error: WebSocketError | null): void
}

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

const { Z_SYNC_FLUSH } = constants

/** @throws Error where node:zlib is not made as this module needs it */
export function checkZlib(stream: object = createInflateRaw({ chunkSize: CHUNK_SIZE })): void {
  const { _handle, _writeState, _processChunk } = stream as ZlibStream
  const usable = typeof _handle?.writeSync === 'function' && _writeState?.length === 2
  if (!usable || typeof _processChunk !== 'function') {
    throw new Error(`permessage-deflate does not know the zlib of Node ${process.version}`)
  }
}

export class ZlibEngine implements Job {
  /** Bytes of input that the last run used. */
  consumed = 0
  /** Bytes of output that the last run made. */
  produced = 0
  readonly kind: EngineKind

  private readonly stream: ZlibStream
  private readonly handle: Handle
  private readonly left: Uint32Array
  private fault: { readonly detail: string; readonly name: string } | null = null
  private closed = false
  // work in the pool
  private user: PoolUser | null = null
  private input: Uint8Array | null = null
  private output: Uint8Array | null = null
  private room = 0
  private onDone: (() => void) | null = null

  constructor(kind: EngineKind) {
    this.kind = kind
    const { windowBits, level, memLevel } = kind
    const options = { windowBits, chunkSize: CHUNK_SIZE, ...(kind.does === 'deflate' ? { level, memLevel } : {}) }
    const stream = (kind.does === 'deflate' ? createDeflateRaw(options) : createInflateRaw(options)) as ZlibStream
    this.stream = stream
    this.left = stream._writeState
    this.handle = stream._handle
    this.handle.engine = this
    // the stream's own listener would destroy it and emit an error, later and to nobody
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
    this.handle.writeSync(Z_SYNC_FLUSH, input, start, size, output, at, room)
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
    jobs.enter(this, concurrency)
  }

  begin(): void {
    if (this.closed) {
      jobs.leave()
      return
    }
    const { stream } = this
    if (this.onDone === null) {
      this.onDone = () => finish(this)
      stream.push = (piece: Uint8Array | null) => this.pushed(piece)
    }
    stream._outBuffer = this.output!
    stream._outOffset = 0
    stream._chunkSize = this.room
    stream._processChunk(this.input!, Z_SYNC_FLUSH, this.onDone)
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
    jobs.leave()
    if (this.closed) return
    this.stream._outBuffer = NOTHING
    this.consumed = input!.length - this.left[1]!
    this.produced = this.room - this.left[0]!
    user.poolDone(this.fault === null ? null : this.failure())
  }

  private failure(): WebSocketError {
    const code = this.kind.does === 'inflate' ? 'WS_ERR_INVALID_COMPRESSED_DATA' : 'WS_ERR_EXTENSION'
    const { detail, name } = this.fault!
    return new WebSocketError(code, { detail, details: { zlib: name } })
  }

  /** Forgets all that came before. Not while work is in the pool. */
  reset(): void {
    this.stream.reset()
  }

  /** Frees its memory; after work in the pool where there is some, and then nobody is told. */
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
