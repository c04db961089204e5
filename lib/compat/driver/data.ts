// Converts bytes and text from the caller to the forms that are sent.

/** A message that can be sent. */
export type DriverMessage = string | number | Uint8Array | readonly number[]

/** The bytes as a Buffer, in the same memory if possible. */
export function asBuffer(data: string | Uint8Array | readonly number[]): Buffer {
  if (Buffer.isBuffer(data)) return data
  if (data instanceof Uint8Array) return Buffer.from(data.buffer, data.byteOffset, data.byteLength)
  return Buffer.from(data as string)
}

/** A copy of the bytes: the caller may reuse its memory at once. */
export function copyOf(data: DriverMessage): Buffer {
  return Buffer.from((typeof data === 'number' ? String(data) : data) as Uint8Array)
}

/** The text; bytes are decoded as UTF-8. */
export function asText(data: DriverMessage): string {
  return typeof data === 'object' ? asBuffer(data).toString() : String(data)
}
