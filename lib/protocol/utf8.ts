// Checks UTF-8 (RFC 3629) in pieces, so that an invalid byte is detected when it arrives (RFC 6455 §8.1).

import { WebSocketError } from '../errors.js'
import { Buffer, isAscii, isUtf8 } from '../runtime/node.js'

/**
 * Checks `bytes[from, end)`, which starts at the first byte of a character and may end inside one.
 * @returns the offset of the unfinished character at the end, `end` if there is none, or -1 if the bytes are invalid
 */
export function checkUtf8(bytes: Buffer, from: number, end: number): number {
  const whole = lastCharacter(bytes, from, end)
  if (whole < end && !canBegin(bytes, whole, end)) return -1
  return whole === from || isUtf8(bytes.subarray(from, whole)) ? whole : -1
}

/** The offset of the last character if it is incomplete; otherwise `end`. */
function lastCharacter(bytes: Buffer, from: number, end: number): number {
  for (let at = end - 1; at >= from && at >= end - 3; at--) {
    const byte = bytes[at]!
    if (byte < 0x80) return end
    if (byte >= 0xc0) {
      const length = byte < 0xe0 ? 2 : byte < 0xf0 ? 3 : 4
      return at + length > end ? at : end
    }
  }
  return end
}

/** Whether the first bytes of a character can start a valid one: no overlong form, no surrogate, nothing above U+10FFFF. */
function canBegin(bytes: Buffer, at: number, end: number): boolean {
  const first = bytes[at]!
  if (first < 0xc2 || first > 0xf4) return false
  if (at + 1 === end) return true
  const second = bytes[at + 1]!
  if (first === 0xe0) return second >= 0xa0
  if (first === 0xed) return second < 0xa0
  if (first === 0xf0) return second >= 0x90
  if (first === 0xf4) return second < 0x90
  return true
}

const NOTHING = Buffer.alloc(0)

/** Decodes text that arrives in pieces of bytes, split anywhere, into whole characters. */
export class Utf8Reader {
  // the bytes of an incomplete character: at most three
  private rest: Buffer = NOTHING

  constructor(private readonly fault: 'local' | 'peer' = 'peer') {}

  /**
   * The characters that are complete now.
   * @throws WebSocketError at the first invalid byte (RFC 6455 §8.1)
   */
  read(bytes: Buffer): string {
    if (this.rest.length === 0 && isAscii(bytes)) return bytes.latin1Slice()
    return this.next(bytes).utf8Slice()
  }

  /** @throws WebSocketError at the first invalid byte */
  check(bytes: Buffer): void {
    if (this.rest.length > 0 || !isAscii(bytes)) this.next(bytes)
  }

  /** @throws WebSocketError if the text ends inside a character */
  end(): void {
    if (this.rest.length > 0) throw this.wrong()
  }

  private next(bytes: Buffer): Buffer {
    const text = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes])
    const whole = checkUtf8(text, 0, text.length)
    if (whole < 0) throw this.wrong()
    this.rest = whole === text.length ? NOTHING : Buffer.from(text.subarray(whole))
    return text.subarray(0, whole)
  }

  private wrong(): WebSocketError {
    return new WebSocketError('WS_ERR_INVALID_UTF8', { fault: this.fault })
  }
}
