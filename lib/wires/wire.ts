// What both ends of the pipeline that meet the outside have in common: what a connection asks of its wire, and which memory a wire
// gives away.

import { WebSocketError } from '../errors.js'
import { Buffer, nextTick } from '../runtime/node.js'
import type { Batch, Receiver, Sender } from '../stages/stage.js'
import type { NodeDuplex as Duplex } from '../streams.js'

/** What a wire tells its connection. */
export interface WireUser {
  /**
   * Bytes arrived; false asks for no more until `proceed`.
   * @param owned - Node made this memory for this connection, so it may be written to and kept
   */
  wireInput(chunk: Buffer, owned: boolean): boolean
  /** The peer ended its side. */
  wireEnded(): void
  /** The wire broke. */
  wireLost(cause?: unknown): void
  /**
   * All bytes of this side have been taken, its end included.
   * @param isSent - whether they are on their way, if that is known
   * @param tells - whether now is the time to emit 'error'
   */
  outputEnded(isSent: true | undefined, tells?: boolean): void
  /** Nothing more will come or go. */
  wireClosed(): void
}

/** Runs when bytes have been written, or cannot be. */
export type Written = (error?: Error | null) => void

/** Both ends of the pipeline: the sender of what arrives, the receiver of what goes out. */
export interface Wire extends Sender<Buffer>, Receiver<Buffer> {
  prev: Sender<Buffer> | null
  /** Bytes that were handed to it and are not sent. */
  readonly bufferedAmount: number
  /** Whether all that was handed to it has been written. */
  readonly hasWrittenAll: boolean
  /** Whether the bytes go to a socket, which is done with their memory when it has written them. Any other stream may keep it. */
  readonly isSocket: boolean
  /** Whether it is one of many streams of an HTTP/2 session. Default: false. */
  readonly isMultiplexed?: boolean
  /** Called when a batch that was announced by `expectWritten` has been written. */
  onWritten: Written | null
  /** The next batch is one to call `onWritten` for. */
  expectWritten(): void
  receive(buffers: Batch<Buffer>): boolean
  /** Gives the wire up at once. */
  drop(): void
  /** The end of input has been dealt with. */
  inputDone(): void
  /**
   * Lets go of the stream, which nothing else is done to, and gives it with what was read from it and not taken.
   * @throws TypeError if it is not one stream, which is then not let go of
   */
  detach(): { stream: Duplex; unread: Uint8Array[] }
}

type MaybeSocket = Duplex & { _handle?: unknown; rstCode?: number; session?: object }

/* c8 ignore next - what stands behind ?. is for browsers, which have neither process nor sockets */
const Socket = globalThis.process?.getBuiltinModule?.('node:net')?.Socket

/** Whether a stream is one of Node's that reads and writes outside of JavaScript: a TCP, unix or TLS socket. */
export function isSocket(stream: object): boolean {
  return Socket !== undefined && stream instanceof Socket && typeof (stream as MaybeSocket)._handle === 'object'
}

/** Whether a stream is one of many of an HTTP/2 session. */
export function isHttp2Stream(stream: object): boolean {
  return (stream as MaybeSocket).rstCode !== undefined
}

/** Whether Node makes each chunk of a stream anew; those of an HTTP/2 session lie side by side, but do not overlap. */
export function makesChunks(stream: object): boolean {
  return isSocket(stream) || isHttp2Stream(stream)
}

/** Tells that bytes go nowhere; more of them may come, and are dropped too. */
export function cannotWrite(written: Written | null): true {
  if (written !== null) nextTick(written, new WebSocketError('WS_ERR_NOT_OPEN'))
  return true
}

/** A chunk as a Buffer of the same memory; null for what is no bytes. */
export function asBuffer(chunk: unknown): Buffer | null {
  if (Buffer.isBuffer(chunk)) return chunk
  if (!(chunk instanceof Uint8Array)) return null
  return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)
}

/** @throws TypeError if the stream gives strings: bytes that are not UTF-8 are lost in them */
export function checkGivesBytes(stream: Partial<Pick<Duplex, 'readableEncoding'>>): void {
  const { readableEncoding: encoding } = stream
  if (encoding) throw new TypeError(`the stream has setEncoding('${encoding}'); a WebSocket needs its bytes`)
}

/** RFC 8441 §5: CANCEL is to a stream of HTTP/2 what a reset is to TCP; `destroy` by itself would say that nothing is wrong. */
export function giveUp(stream: Duplex): void {
  if (isHttp2Stream(stream)) (stream as Duplex & { close(code: number): void }).close(CANCEL)
  stream.destroy()
}

/** RFC 9113 §7 */
const CANCEL = 8
