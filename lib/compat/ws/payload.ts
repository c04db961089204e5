// Converts data between the forms of `ws` and those of the core.

import type { WebSocketStream } from '../../index.js'
import type { RawData } from './events.js'

/** The data that `send` takes: text, bytes in any form, and anything that Buffer.from accepts. */
export type Sendable =
  | string
  | number
  | NodeJS.ArrayBufferView
  | ArrayBuffer
  | SharedArrayBuffer
  | Blob
  | readonly unknown[]
  | { valueOf(): ArrayBuffer }
  | { valueOf(): SharedArrayBuffer }
  | { valueOf(): Uint8Array }
  | { valueOf(): readonly number[] }
  | { valueOf(): string }
  | { [Symbol.toPrimitive](hint: string): string }

/** The forms of received binary messages. */
export type BinaryType = 'nodebuffer' | 'arraybuffer' | 'fragments' | 'blob'

export const BINARY_TYPES: readonly string[] = ['nodebuffer', 'arraybuffer', 'fragments', 'blob']

/** An empty Buffer, shared. */
export const EMPTY: Buffer<ArrayBuffer> = Buffer.alloc(0)

/** Text stays text; anything else becomes bytes. */
export function toPayload(data: unknown): string | Uint8Array | Blob {
  if (typeof data === 'string') return data
  if (typeof data === 'number') return String(data)
  if (data instanceof Uint8Array || data instanceof Blob) return data
  return data ? toBytes(data) : EMPTY
}

function toBytes(data: unknown): Uint8Array {
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  if (data instanceof ArrayBuffer || data instanceof SharedArrayBuffer) return new Uint8Array(data)
  return Buffer.from(data as Uint8Array)
}

/** Messages up to this size are copied; larger ones are flushed at once, which costs no more than a copy. */
const COPY_UP_TO = 4096
/** Maximum bytes that are masked and written at once. */
const WRITTEN_AT_ONCE = 65536
/** If a server has buffered more than this, bytes are kept without a copy: in a broadcast, all slow clients share them. */
const SHARED_FROM = 262_144

/**
 * The bytes as they are at the time of the call: `ws` passes them to the wire at once, and programs reuse the buffer for the next message.
 * If the result is the argument itself, it must be flushed. A client of `ws` masks a copy; a server of `ws` keeps what the kernel does not
 * take.
 */
export function asSent(bytes: Uint8Array, core: WebSocketStream, isClient: boolean): Uint8Array {
  if (bytes.length <= COPY_UP_TO) return copyOf(bytes)
  const leavesNow = core.flush() && (!isClient || bytes.length <= WRITTEN_AT_ONCE)
  const isShared = !isClient && core.bufferedAmount >= SHARED_FROM
  return leavesNow || isShared ? bytes : copyOf(bytes)
}

// cheaper than Buffer.from
function copyOf(bytes: Uint8Array): Uint8Array {
  const copy = Buffer.allocUnsafe(bytes.length)
  copy.set(bytes)
  return copy
}

/** The payload of a Ping or Pong. @throws RangeError if it is too long */
export function toControl(data: unknown): Uint8Array {
  const payload = toPayload(data)
  if (payload instanceof Blob) throw new TypeError('the payload of a ping or pong must not be a Blob')
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
  if (bytes.length > 125) throw new RangeError('The data size must not be greater than 125 bytes')
  return bytes
}

/** Bytes in a payload. */
export function sizeOf(payload: string | Uint8Array | Blob): number {
  if (typeof payload === 'string') return Buffer.byteLength(payload)
  return payload instanceof Blob ? payload.size : payload.length
}

/** A binary message in the form of `binaryType`. */
export function asType(bytes: Buffer, type: Exclude<BinaryType, 'nodebuffer'>): RawData | Blob {
  if (type === 'fragments') return [bytes]
  if (type === 'blob') return new Blob([bytes as Uint8Array<ArrayBuffer>])
  const { buffer, byteOffset, byteLength } = bytes
  if (byteLength === buffer.byteLength) return buffer as ArrayBuffer
  return buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer
}

/** @throws TypeError, RangeError if it cannot be sent in a Close frame (RFC 6455 §7.4) */
export function checkClose(code: unknown, reason: string): void {
  const isCode = typeof code === 'number' && Number.isInteger(code)
  const isSendable =
    isCode && ((code >= 1000 && code <= 1014 && !(code >= 1004 && code <= 1006)) || (code >= 3000 && code <= 4999))
  if (!isSendable) throw new TypeError('First argument must be a valid error code number')
  if (Buffer.byteLength(reason) > 123) throw new RangeError('The message must not be greater than 123 bytes')
}
