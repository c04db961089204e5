// The interface between the pipeline and its wire, and functions that tell kinds of streams apart.

import { WebSocketError } from '../errors.js'
import { CANCEL } from '../http2-codes.js'
import { Buffer, nextTick } from '../runtime/node.js'
import type { Batch, Receiver, Sender } from '../stages/stage.js'
import type { NodeDuplex as Duplex } from '../streams.js'

/** The Endpoint as a wire sees it. */
export interface WireUser {
  /**
   * Bytes arrived; false pauses until `proceed`.
   * @param owned - whether Node allocated this memory for this connection only, so that it may be changed and kept
   */
  wireInput(chunk: Buffer, owned: boolean): boolean
  /** The peer ended its side. */
  wireEnded(): void
  /** The wire broke. */
  wireLost(cause?: unknown): void
  /**
   * The stream has taken all output, including the end.
   * @param outcome - whether all of it has been sent, as far as that is known
   */
  outputEnded(outcome: 'sent' | 'unknown'): void
  /** The wire has closed in both directions. */
  wireClosed(): void
}

/** Called when bytes have been written, or with an error if they cannot be. */
export type Written = (error?: Error | null) => void

/** Both ends of the pipeline: sends it the input, receives its output. */
export interface Wire extends Sender<Buffer>, Receiver<Buffer> {
  prev: Sender<Buffer> | null
  /** Bytes passed to it that are not sent yet. */
  readonly bufferedAmount: number
  /** Whether everything passed to it has been written. */
  readonly hasWrittenAll: boolean
  /** Whether the output goes to a socket, which keeps no reference to memory it has written. Any other stream may keep one. */
  readonly isSocket: boolean
  /** Whether the stream belongs to an HTTP/2 session. Default: false. */
  readonly isMultiplexed?: boolean
  /** Called when the batch announced by `expectWritten` has been written. */
  onWritten: Written | null
  /** `onWritten` must be called for the next batch. */
  expectWritten(): void
  receive(buffers: Batch<Buffer>): boolean
  /** Destroys the wire at once. */
  drop(): void
  /** The end of the input has been processed. */
  inputDone(): void
  /**
   * Releases the stream without closing it, and returns it with the data that was read from it but not taken.
   * @throws TypeError if the wire is not one stream; then nothing is released
   */
  detach(): { stream: Duplex; unread: Uint8Array[] }
}

type MaybeSocket = Duplex & { _handle?: unknown; rstCode?: number; session?: object }

/* c8 ignore next - a browser has neither process nor sockets */
const Socket = globalThis.process?.getBuiltinModule?.('node:net')?.Socket

/**
 * Whether a stream is a socket of Node (TCP, unix or TLS), which reads and writes outside of JavaScript. One without a handle may be a
 * stand-in into which other code pushes its own chunks.
 */
export function isSocket(stream: object): boolean {
  if (Socket === undefined || !(stream instanceof Socket)) return false
  const { _handle: handle } = stream as MaybeSocket
  return typeof handle === 'object' && handle !== null
}

/** Whether a stream emits 'close' whatever its options are, as all sockets do, those without a handle too. */
export function alwaysCloses(stream: object): boolean {
  return Socket !== undefined && stream instanceof Socket
}

/** Whether a stream belongs to an HTTP/2 session. */
export function isHttp2Stream(stream: object): boolean {
  return (stream as MaybeSocket).rstCode !== undefined
}

/** Reports that bytes cannot be written. Returns true, so that further bytes are dropped too. */
export function cannotWrite(written: Written | null): true {
  if (written !== null) nextTick(written, new WebSocketError('WS_ERR_NOT_OPEN'))
  return true
}

/** The same memory as a Buffer; null if the chunk is not bytes. */
export function asBuffer(chunk: unknown): Buffer | null {
  if (Buffer.isBuffer(chunk)) return chunk
  if (!(chunk instanceof Uint8Array)) return null
  return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
}

/** @throws TypeError if the stream has an encoding set: decoding to strings loses bytes that are not UTF-8 */
export function checkGivesBytes(stream: Partial<Pick<Duplex, 'readableEncoding'>>): void {
  const { readableEncoding: encoding } = stream
  if (encoding) throw new TypeError(`the stream has setEncoding('${encoding}'); a WebSocket needs its bytes`)
}

/** @throws TypeError if it is not a Duplex */
export function checkDuplex(stream: unknown): void {
  const members = (stream ?? {}) as Record<string, unknown>
  const isDuplex = ['on', 'write', 'end', 'pause', 'resume'].every(name => typeof members[name] === 'function')
  if (!isDuplex) throw new TypeError('attach needs a Duplex, such as a net.Socket')
}

/** RFC 8441 §5: CANCEL on an HTTP/2 stream corresponds to a TCP reset; `destroy` alone would report no error. */
export function giveUp(stream: Duplex): void {
  if (isHttp2Stream(stream)) (stream as Duplex & { close(code: number): void }).close(CANCEL)
  stream.destroy()
}
