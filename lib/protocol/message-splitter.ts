// Messages come in, frames go out: one each, or several where fragmentSize says so (RFC 6455 §5.4).

import { Frame } from './frame.js'
import { Opcode } from './opcode.js'

/** What the application may send: text as a string, binary as any view of bytes, or the bytes of a buffer. */
export type Sendable = string | NodeJS.ArrayBufferView | ArrayBuffer | SharedArrayBuffer

/** @throws TypeError where `data` is none of the forms of binary data */
export function toBytes(data: unknown): Uint8Array {
  if (data instanceof Uint8Array) return data
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  if (data instanceof ArrayBuffer || data instanceof SharedArrayBuffer) return new Uint8Array(data)
  throw new TypeError('a message must be a string, an ArrayBufferView or an ArrayBuffer')
}

/**
 * The frames of one message.
 * @param fragmentSize - bytes of payload that one frame holds at most
 * @throws TypeError where `message` is neither text nor bytes
 */
export function splitMessage(message: Sendable, fragmentSize: number): Frame[] {
  const whole =
    typeof message === 'string' ? new Frame(Opcode.Text, message) : new Frame(Opcode.Binary, toBytes(message))
  if (whole.size <= fragmentSize) return [whole]
  const frames: Frame[] = []
  const bytes = whole.payload
  let { opcode } = whole
  for (let at = 0; at < bytes.length; at += fragmentSize) {
    const end = at + fragmentSize
    frames.push(new Frame(opcode, bytes.subarray(at, end), end >= bytes.length))
    opcode = Opcode.Continuation
  }
  return frames
}
