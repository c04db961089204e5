// The opcodes of RFC 6455 §5.2. The high bit of the four tells control frames from data frames.

/** Frame types (RFC 6455 §5.2, §11.8). */
export const Opcode = {
  /** Continues the current message. */
  Continuation: 0x0,
  /** Begins a text message. */
  Text: 0x1,
  /** Begins a binary message. */
  Binary: 0x2,
  /** Ends the connection (RFC 6455 §5.5.1). */
  Close: 0x8,
  /** Requests a Pong (RFC 6455 §5.5.2). */
  Ping: 0x9,
  /** Answers a Ping (RFC 6455 §5.5.3). */
  Pong: 0xa
} as const

/** An opcode that RFC 6455 defines. */
export type Opcode = (typeof Opcode)[keyof typeof Opcode]

/** RFC 6455 §5.5 */
export function isControl(opcode: number): boolean {
  return opcode >= 0x8
}

/** RFC 6455 §5.2: 3-7 and 11-15 are reserved. */
export function isKnown(opcode: number): opcode is Opcode {
  return opcode <= 0x2 || (opcode >= 0x8 && opcode <= 0xa)
}
