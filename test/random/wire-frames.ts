// Reads the complete frames in the bytes of one direction, by RFC 6455 §5.2, without code of lib.

export interface ArrivedFrame {
  readonly opcode: number
  readonly fin: boolean
  /** Unmasked; control frames only. */
  readonly payload: Buffer
}

const HEAD_END = Buffer.from('\r\n\r\n')

export function framesIn(bytes: Buffer): ArrivedFrame[] {
  const frames: ArrivedFrame[] = []
  const head = bytes.indexOf(HEAD_END)
  for (let at = head < 0 ? bytes.length : head + HEAD_END.length; at + 2 <= bytes.length; ) {
    const [first, second] = [bytes[at]!, bytes[at + 1]!]
    const short = second & 127
    const extended = short === 127 ? 8 : short === 126 ? 2 : 0
    if (at + 2 + extended > bytes.length) break
    const length = extended === 0 ? short : bytes.readUIntBE(at + 2 + (extended === 8 ? 2 : 0), extended === 8 ? 6 : 2)
    const start = at + 2 + extended + (second >= 128 ? 4 : 0)
    if (start + length > bytes.length) break
    const isControl = (first & 8) !== 0
    const payload = Buffer.from(isControl ? bytes.subarray(start, start + length) : [])
    if (second >= 128) for (let i = 0; i < payload.length; i++) payload[i]! ^= bytes[start - 4 + (i & 3)]!
    frames.push({ opcode: first & 15, fin: first >= 128, payload })
    at = start + length
  }
  return frames
}

/** RFC 6455 §7.1.5 */
export const closeCodeOf = ({ payload }: ArrivedFrame): number => (payload.length < 2 ? 1005 : payload.readUInt16BE(0))
