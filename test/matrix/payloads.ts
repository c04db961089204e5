// Payloads that can be made again from two numbers, so that nothing has to be kept to tell what was sent.

/** Sizes at which the form of a frame, or the way that its payload takes, changes. */
export const SIZES: readonly number[] = [0, 1, 125, 126, 1024, 16384, 65535, 65536, 2 ** 20]
/** RFC 6455 §5.5: what a control frame carries at most. */
export const CONTROL_SIZES: readonly number[] = [0, 1, 125]

/** ASCII, so that it may be text as well; of a period that no buffer's size is a multiple of. */
export function payloadOf(number: number, size: number): Buffer {
  return Buffer.alloc(size, `${number} of ${size} bytes; `.padEnd(61, 'abcdefghijklmnopqrstuvwxyz'))
}

/** Whether these bytes are that payload. */
export function isPayload(bytes: Uint8Array, number: number, size: number): boolean {
  return bytes.length === size && payloadOf(number, size).equals(bytes)
}
