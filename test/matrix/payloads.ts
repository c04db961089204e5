// Payloads that are made from two numbers, so that nothing has to be kept to check them on arrival.

/** Sizes at which the form of a frame, or how its payload is processed, changes. */
export const SIZES: readonly number[] = [0, 1, 125, 126, 1024, 16384, 65535, 65536, 2 ** 20]
/** RFC 6455 §5.5: the maximum of a control frame. */
export const CONTROL_SIZES: readonly number[] = [0, 1, 125]

/** ASCII, so that it may be text as well; with a period that divides no buffer's size. */
export function payloadOf(number: number, size: number): Buffer {
  return Buffer.alloc(size, `${number} of ${size} bytes; `.padEnd(61, 'abcdefghijklmnopqrstuvwxyz'))
}

/** Whether these bytes are that payload. */
export function isPayload(bytes: Uint8Array, number: number, size: number): boolean {
  return bytes.length === size && payloadOf(number, size).equals(bytes)
}
