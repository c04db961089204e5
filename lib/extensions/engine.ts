// What the codecs need of zlib: one stream of raw DEFLATE, with its window. Two classes provide it: ZlibEngine by the handles of zlib's
// streams, StreamEngine by what Node documents. Knows nothing of messages.

import { WebSocketError } from '../errors.js'
import type { ZlibEngine } from './zlib-engine.js'

/** `Z_SYNC_FLUSH` of zlib: all input is worked on, and the output ends on a byte (RFC 1951 §3.2.3). */
export const SYNC_FLUSH = 2

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

/** Bytes of a stored block ahead of its content (RFC 1951 §3.2.4). */
export const BLOCK_HEADER = 5

/** Compresses, or inflates. What it has seen it refers to, until it is reset. */
export interface Engine {
  readonly kind: EngineKind
  /** Does small work at once; null if all work takes the thread pool. */
  readonly direct: ZlibEngine | null
  /** Bytes of input that the last run used: fewer than were given if the output is full, or behind a final block. */
  readonly consumed: number
  /** Bytes of output that the last run made. */
  readonly produced: number
  /** Whether it has failed, and is of no more use. */
  readonly isBroken: boolean
  /**
   * Works in the thread pool on all of `input`, and flushes. The result goes to `output`, `room` bytes of it at most. Both are not to be
   * touched before `user` is told. If the output is full, or the stream of DEFLATE has ended, the rest of the input is left; the next run
   * is to begin with it.
   * @param concurrency - jobs of the process at once
   */
  runInPool(input: Uint8Array, output: Uint8Array, room: number, concurrency: number, user: PoolUser): void
  /**
   * Fills the window of an engine that has seen nothing.
   * @param block - a stored block with the content of the window
   * @param size - bytes of the block, its header included
   */
  restore(block: Buffer, size: number): void
  /** Forgets all that came before. Not while work is in the thread pool. */
  reset(): void
  /** Frees its memory. `user` is not told of work that is under way. */
  close(): void
}

/** What zlib says of a failure. */
export interface EngineFault {
  readonly detail: string
  /** Its name for it: `'Z_DATA_ERROR'`. */
  readonly name: string
}

/** What is told of a failure: of the peer where it sent what cannot be inflated, of this side where it cannot compress. */
export function engineFailure({ does }: EngineKind, { detail, name }: EngineFault): WebSocketError {
  const code = does === 'inflate' ? 'WS_ERR_INVALID_COMPRESSED_DATA' : 'WS_ERR_EXTENSION'
  return new WebSocketError(code, { detail, details: { zlib: name } })
}
