// Messages come in, frames go out: one each, or several where fragmentSize says so (RFC 6455 §5.4).

import { Buffer } from '../runtime/node.js'
import { Frame } from './frame.js'
import { Opcode } from './opcode.js'
import { PreparedMessage } from './prepared-message.js'

/** What the application may send: text as a string, binary as any view of bytes, or the bytes of a buffer. */
export type Sendable = string | NodeJS.ArrayBufferView | ArrayBuffer | SharedArrayBuffer

/** A message that no extension is to compress. */
export class Uncompressed {
  constructor(
    /** The message itself. */
    readonly data: Sendable
  ) {}

  /** Bytes in the message. */
  get size(): number {
    return writtenSize(this.data)
  }
}

/** A message on its way out, in any of its forms. */
export type Outgoing = Sendable | PreparedMessage | Uncompressed

/** Bytes that something written stands for, where that can be told. */
export function writtenSize(item: unknown): number {
  if (typeof item === 'string') return Buffer.byteLength(item)
  const { byteLength, size } = item as { byteLength?: number; size?: number }
  return byteLength ?? size ?? 0
}

/** Bytes of a message that waits whole; 0 for one that is written in pieces, which says itself what waits of it. */
export function queuedSize(item: unknown): number {
  return typeof item === 'object' && (item === null || 'begin' in item || 'pipe' in item) ? 0 : writtenSize(item ?? '')
}

/** Whether a message is text. */
export function isText(message: Outgoing): boolean {
  if (message instanceof Uncompressed) return isText(message.data)
  return typeof message === 'string' || (message instanceof PreparedMessage && message.opcode === Opcode.Text)
}

/** @throws TypeError where `data` is none of the forms of binary data */
export function toBytes(data: unknown): Uint8Array {
  if (data instanceof Uint8Array) return data
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  if (data instanceof ArrayBuffer || data instanceof SharedArrayBuffer) return new Uint8Array(data)
  throw new TypeError('a message must be a string, an ArrayBufferView or an ArrayBuffer')
}

/** Text up to this many characters may be encoded before its size is known; there is memory at hand for that. */
const ENCODED_UP_TO = 1024
// the last text was not ASCII
let encodesFirst = false

/**
 * ASCII stays a string until it is written. The size of other text costs as much as the text itself, so where the last one was such,
 * the next is encoded at once (benchmarks/questions/encode.js, mixed).
 */
function textFrame(text: string): Frame {
  const data = encodesFirst && text.length <= ENCODED_UP_TO ? Buffer.from(text) : text
  const frame = new Frame(Opcode.Text, data)
  encodesFirst = frame.size !== text.length
  return frame
}

/**
 * The frames of one message.
 * @param fragmentSize - bytes of payload that one frame holds at most
 * @throws TypeError where `message` is neither text nor bytes
 */
export function splitMessage(message: Outgoing, fragmentSize: number): Frame[] {
  if (typeof message === 'string') return splitFrame(textFrame(message), fragmentSize)
  if (message instanceof PreparedMessage) {
    return message.size <= fragmentSize ? [message.whole] : splitFrame(message.loose(), fragmentSize)
  }
  if (!(message instanceof Uncompressed)) return splitFrame(new Frame(Opcode.Binary, toBytes(message)), fragmentSize)
  const frames = splitMessage(message.data, fragmentSize)
  for (const frame of frames) frame.compress = false
  return frames
}

/** A whole frame, or the fragments that it is cut into (RFC 6455 §5.4). */
export function splitFrame(whole: Frame, fragmentSize: number): Frame[] {
  if (whole.size <= fragmentSize) return [whole]
  const frames: Frame[] = []
  const bytes = whole.payload
  let { opcode } = whole
  for (let at = 0; at < bytes.length; at += fragmentSize) {
    const end = at + fragmentSize
    const frame = new Frame(opcode, bytes.subarray(at, end), whole.fin && end >= bytes.length)
    if (!whole.compress) frame.compress = false
    frames.push(frame)
    opcode = Opcode.Continuation
  }
  return frames
}
