// Writes and reads frames of hixie-75 and hixie-76 by the text of the drafts, without code of lib.

export const VERSIONS = ['hixie-75', 'hixie-76'] as const

export const CLOSE_76 = Buffer.from([0xff, 0x00])

/** Text between 00 and FF, or a frame of another type below 80, which must be discarded. */
export function ended(payload: string | Uint8Array, type = 0x00): Buffer {
  return Buffer.concat([Buffer.from([type]), Buffer.from(payload as string), Buffer.from([0xff])])
}

/** A frame of a type from 80 on, with its length, which must be skipped. */
export function measured(type: number, payload: string | Uint8Array, digits?: number): Buffer {
  const bytes = Buffer.from(payload as string)
  return Buffer.concat([Buffer.from([type]), base128(bytes.length, digits), bytes])
}

/** A length as in the drafts: seven bits a byte, the high bit set on all but the last; with leading zeros if requested. */
export function base128(length: number, digits = 1): Buffer {
  const bytes: number[] = []
  for (let rest = length; rest > 0 || bytes.length < digits; rest = Math.floor(rest / 128)) {
    bytes.unshift((rest % 128) | (bytes.length === 0 ? 0 : 0x80))
  }
  return Buffer.from(bytes)
}

/** What a peer reads in `bytes`, which must end with a whole frame: texts in quotes, `close`, and nothing for other frames. */
export function readDraft(version: (typeof VERSIONS)[number], bytes: Buffer): string[] {
  const got: string[] = []
  for (let at = 0; at < bytes.length; ) {
    const type = bytes.readUInt8(at++)
    if (type < 0x80) {
      const end = bytes.indexOf(0xff, at)
      if (end < 0) throw new RangeError('a frame is cut')
      if (type === 0) got.push(quoted(bytes.subarray(at, end)))
      at = end + 1
      continue
    }
    let length = 0
    let digit = 0
    do {
      digit = bytes.readUInt8(at++)
      length = length * 128 + (digit & 0x7f)
    } while (digit >= 0x80)
    if (at + length > bytes.length) throw new RangeError('a frame is cut')
    at += length
    if (type === 0xff && length === 0 && version === 'hixie-76') got.push('close')
  }
  return got
}

/** Text in the form in which it is compared: long ones are shortened. */
export function quoted(payload: Uint8Array): string {
  const text = Buffer.from(payload).toString()
  if (text.length <= 40) return JSON.stringify(text)
  let sum = 7
  for (const byte of payload) sum = (Math.imul(sum, 31) + byte) | 0
  return `${payload.length} bytes, ${sum >>> 0}`
}
