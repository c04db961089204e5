// The interface of one raw DEFLATE stream with its window, as the codecs use it. Implemented by ZlibEngine on the handles of zlib streams,
// and by StreamEngine on documented API of Node. Knows nothing of messages.

import { WebSocketError } from '../errors.js'
import type { ZlibEngine } from './zlib-engine.js'

/** `Z_SYNC_FLUSH` of zlib: processes all input, and ends the output on a byte boundary (RFC 1951 §3.2.3). */
export const SYNC_FLUSH = 2

/** What an engine does, and with how much memory. */
export interface EngineKind {
  readonly does: 'deflate' | 'inflate'
  readonly windowBits: number
  /** For deflating only. */
  readonly level?: number
  /** For deflating only. */
  readonly memLevel?: number
}

/** Notified when work in the thread pool is done. */
export interface PoolUser {
  /** @param error - why it failed, or null */
  poolDone(error: WebSocketError | null): void
}

/** Bytes of a stored block before its content (RFC 1951 §3.2.4). */
export const BLOCK_HEADER = 5

/** Compresses or inflates. It refers to earlier data until it is reset. */
export interface Engine {
  readonly kind: EngineKind
  /** Set if the engine can do small work synchronously; null if all work uses the thread pool. */
  readonly direct: ZlibEngine | null
  /** Bytes of input that the last run used: not all, if the output was full or a final block ended the stream. */
  readonly consumed: number
  /** Bytes of output of the last run. */
  readonly produced: number
  /** Whether it has failed and can no longer be used. */
  readonly isBroken: boolean
  /**
   * Processes all of `input` in the thread pool, and flushes. Writes at most `room` bytes to `output`. Neither buffer may be touched until
   * `user` is notified. If the output is full, or the DEFLATE stream has ended, the rest of the input is left for the next run.
   * @param concurrency - maximum jobs of the process at the same time
   */
  runInPool(input: Uint8Array, output: Uint8Array, room: number, concurrency: number, user: PoolUser): void
  /**
   * Fills the window of an engine without history.
   * @param block - a stored block with the content of the window
   * @param size - bytes of the block, including its header
   */
  restore(block: Buffer, size: number): void
  /** Forgets all earlier data. Must not be called while work is in the thread pool. */
  reset(): void
  /** Frees its memory. `user` is not notified of work in progress. */
  close(): void
}

/** zlib's description of a failure. */
export interface ZlibFailure {
  readonly message: string
  /** zlib's name for it: `'Z_DATA_ERROR'`. */
  readonly name: string
}

/** The error of a failure: the peer's fault if its data cannot be inflated, ours if compression fails. */
export function engineError({ does }: EngineKind, { message, name }: ZlibFailure): WebSocketError {
  const code = does === 'inflate' ? 'WS_ERR_INVALID_COMPRESSED_DATA' : 'WS_ERR_EXTENSION'
  return new WebSocketError(code, { detail: message, details: { zlib: name, zlibMessage: message } })
}
