// Reads the headers of the frames on a wire, valid or not, by the text of RFC 6455 §5.2 only: enough to explain why two readers may
// differ.

export interface Header {
  readonly opcode: number
  readonly fin: boolean
  readonly rsv: number
  readonly isMasked: boolean
  readonly length: bigint
  /** Whether the length has its shortest form. */
  readonly isShortest: boolean
  /** Whether the frame is complete. */
  readonly isWhole: boolean
}

export function headersIn(bytes: Buffer): Header[] {
  const headers: Header[] = []
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at]!
    const second = bytes[at + 1] ?? 0
    const short = second & 127
    const extended = short === 127 ? 8 : short === 126 ? 2 : 0
    const size = 2 + extended + (second >= 128 ? 4 : 0)
    const field = bytes.subarray(at + 2, at + 2 + extended)
    const length = extended === 0 || field.length < extended ? BigInt(short) : BigInt(`0x${field.toString('hex')}`)
    headers.push({
      opcode: first & 15,
      fin: first >= 128,
      rsv: (first >> 4) & 7,
      isMasked: second >= 128,
      length,
      isShortest: field.length < extended || extended === 0 || length >= (extended === 2 ? 126n : 65536n),
      isWhole: BigInt(at + size) + length <= BigInt(bytes.length)
    })
    if (length > 2n ** 32n) break
    at += size + Number(length)
  }
  return headers
}
