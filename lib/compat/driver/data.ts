// What callers give as bytes or text, in the forms that are sent.

/** What can be sent as one message. */
export type DriverMessage = string | number | Uint8Array | readonly number[]

/** Bytes as a Buffer, of the same memory where it has some. */
export function asBuffer(data: string | Uint8Array | readonly number[]): Buffer {
  if (Buffer.isBuffer(data)) return data
  if (data instanceof Uint8Array) return Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  return typeof data === 'string' ? Buffer.from(data) : Buffer.from(data)
}

/** Bytes whose memory the caller does not have: it may use its own again at once. */
export function copyOf(data: DriverMessage): Buffer {
  return Buffer.from((typeof data === 'number' ? String(data) : data) as Uint8Array)
}

/** Text; of bytes, what they are as UTF-8. */
export function asText(data: DriverMessage): string {
  return typeof data === 'object' ? asBuffer(data).toString() : String(data)
}
