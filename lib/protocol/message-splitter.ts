// Turns messages into frames, one each, and splits frames that are too large into fragments (RFC 6455 §5.4).

import { Buffer } from '../runtime/node.js'
import { Frame } from './frame.js'
import { isControl, Opcode } from './opcode.js'
import { PreparedMessage } from './prepared-message.js'
import { TextBytes } from './text-bytes.js'

/** What the application may send: text as a string; binary as an ArrayBufferView or an ArrayBuffer. */
export type Sendable = string | NodeJS.ArrayBufferView | ArrayBuffer | SharedArrayBuffer

/** A message that extensions must not compress. */
export class Uncompressed {
  constructor(
    /** The message itself. */
    readonly data: Sendable | TextBytes
  ) {}

  /** Bytes in the message. */
  get size(): number {
    return writtenSize(this.data)
  }
}

/** A Ping or Pong that keeps its place in the order of messages. */
export class OrderedControl {
  constructor(
    /** Ping or Pong. */
    readonly opcode: Opcode,
    /** At most 125 bytes. */
    readonly payload: Buffer
  ) {}

  /** Bytes in its payload. */
  get size(): number {
    return this.payload.length
  }
}

/** An outgoing message in any form. */
export type Outgoing = Sendable | TextBytes | PreparedMessage | Uncompressed

/** Bytes of a written item; 0 if its size is not known. */
export function writtenSize(item: unknown): number {
  if (typeof item === 'string') return Buffer.byteLength(item)
  const { byteLength, size } = item as { byteLength?: number; size?: number }
  return byteLength ?? size ?? 0
}

/** Bytes of a message that waits whole; 0 for one written in pieces, which counts its own bytes. */
export function queuedSize(item: unknown): number {
  return typeof item === 'object' && (item === null || 'begin' in item || 'pipe' in item) ? 0 : writtenSize(item ?? '')
}

/** Whether a message is text. */
export function isText(message: Outgoing): boolean {
  if (message instanceof Uncompressed) return isText(message.data)
  if (typeof message === 'string' || message instanceof TextBytes) return true
  return message instanceof PreparedMessage && message.opcode === Opcode.Text
}

/**
 * @param name - what it is, for the error
 * @param kinds - what else it may be
 * @throws TypeError if `data` is not binary data, or its memory has been transferred
 */
export function toBytes(data: unknown, name = 'a message', kinds = 'a string'): Uint8Array {
  if (data instanceof Uint8Array) return data.length === 0 ? attached(data) : data
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  if (data instanceof ArrayBuffer || data instanceof SharedArrayBuffer) return new Uint8Array(data)
  const hint = typeof data === 'object' && data !== null ? '; for an object use jsonMessages() or JSON.stringify()' : ''
  throw new TypeError(`${name} must be ${kinds}, a Buffer, another ArrayBufferView or an ArrayBuffer${hint}`)
}

/** An empty view: memory that was transferred looks empty too. @throws TypeError in that case */
function attached(bytes: Uint8Array): Uint8Array {
  try {
    return new Uint8Array(bytes.buffer, bytes.byteOffset, 0)
  } catch (cause) {
    throw new TypeError('the memory of the message has been transferred', { cause })
  }
}

/** Up to this many characters, text may be encoded before its size is known: Buffer's pool has room for it. */
const ENCODED_UP_TO = 1024
/**
 * A guess for the next text from the last one. Process-wide, since this file keeps nothing for each connection. A wrong guess costs
 * only time, so it does not matter which connection sent the last text.
 */
const guess = { isAscii: true }

/**
 * ASCII stays a string until it is written. For other text, computing the size costs as much as encoding it, so after a text that was not
 * ASCII, the next one is encoded at once (benchmarks/questions/encode.js, mixed).
 */
function textFrame(text: string): Frame {
  const data = guess.isAscii || text.length > ENCODED_UP_TO ? text : Buffer.from(text)
  const frame = new Frame(Opcode.Text, data)
  guess.isAscii = frame.size === text.length
  return frame
}

/**
 * One message as one frame.
 * @throws TypeError if `message` is neither text nor bytes
 */
export function frameOf(message: Outgoing | OrderedControl): Frame {
  if (typeof message === 'string') return textFrame(message)
  if (message instanceof Uint8Array) return new Frame(Opcode.Binary, message)
  if (message instanceof PreparedMessage) return message.whole
  if (message instanceof TextBytes) return new Frame(Opcode.Text, message.bytes)
  if (message instanceof OrderedControl) return new Frame(message.opcode, message.payload)
  if (!(message instanceof Uncompressed)) return new Frame(Opcode.Binary, toBytes(message))
  const frame = frameOf(message.data)
  frame.compress = false
  return frame
}

/** Splits a frame into fragments (RFC 6455 §5.4). Each is made on request, so that a Ping can be sent between them on a slow wire. */
export class FrameCutter {
  private frame: Frame | null = null
  private at = 0

  /** @param size - maximum payload of one fragment in bytes */
  constructor(public size: number) {}

  /** Sets the next frame; the previous one must be used up. */
  cut(frame: Frame): void {
    this.frame = frame
    this.at = 0
  }

  /** Drops the remaining fragments. */
  clear(): void {
    this.frame = null
  }

  /** Bytes that remain. */
  get left(): number {
    return this.frame === null ? 0 : this.frame.size - this.at
  }

  /** The next fragment; a frame that is small enough is returned unchanged. Null if nothing remains. */
  next(): Frame | null {
    const { frame, at } = this
    if (frame === null) return null
    // a part of a frame must keep the length in the header of the first part
    const isWhole = frame.first && frame.complete
    if (at === 0 && (frame.size <= this.size || !isWhole || isControl(frame.opcode))) {
      this.frame = null
      return frame
    }
    const end = Math.min(at + this.size, frame.size)
    const isLast = end === frame.size
    const opcode = at === 0 ? frame.opcode : Opcode.Continuation
    const fragment = new Frame(opcode, frame.payload.subarray(at, end), frame.fin && isLast, at === 0 ? frame.rsv : 0)
    fragment.compress = frame.compress
    this.at = end
    if (isLast) this.frame = null
    return fragment
  }
}
