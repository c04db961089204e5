// Text that is not converted to a string: bytes of UTF-8, marked as text.

import { Buffer, isUtf8 } from '../runtime/node.js'

/**
 * A text message as bytes of UTF-8. With `textAs: 'bytes'` the messages view gives text in this form; every sending method takes it.
 */
export class TextBytes {
  /** The bytes. */
  readonly bytes: Buffer

  /**
   * @param bytes - must not change until they have been sent
   * @param isChecked - whether they are known to be UTF-8. Default: false
   * @throws TypeError if they are not UTF-8
   */
  constructor(bytes: Uint8Array, isChecked = false) {
    if (!isChecked && !(bytes instanceof Uint8Array && isUtf8(bytes))) throw new TypeError('text must be UTF-8')
    this.bytes = bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  /** Bytes in the message. */
  get size(): number {
    return this.bytes.length
  }

  /** The text. */
  toString(): string {
    return this.bytes.toString()
  }
}
