// The interface of a fuzz target, and what all targets share.

/** Code that takes any bytes, and must end in progress, an orderly close or a refusal. */
export interface Target {
  readonly name: string
  /** Runs one input to its end. @throws if an invariant does not hold */
  run(input: Buffer): void | Promise<void>
  /** Byte sequences with a meaning in this format. */
  readonly words?: readonly (string | Buffer)[]
  /** Maximum bytes of an input. Default: 1024. */
  readonly maxLength?: number
}

/** An invariant did not hold. */
export class Finding extends Error {}

export function demand(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Finding(otherwise)
}

/** The parts of an input: the first two bytes say how it is fed, the others are the data. */
export interface Given {
  /** Bits that choose among the options of a target. */
  flags: number
  /** How the bytes are split: 0 one by one, otherwise into pieces of 1 to 64 bytes or more. */
  cut: number
  /** The rest, in its own memory. */
  bytes: Buffer
}

export function given(input: Buffer): Given {
  return { flags: input[0] ?? 0, cut: input[1] ?? 0, bytes: Buffer.from(input.subarray(2)) }
}

/** `bytes` in pieces, the same for the same `cut`. */
export function* pieces(bytes: Buffer, cut: number): Generator<Buffer> {
  let state = cut
  for (let at = 0; at < bytes.length; ) {
    let size = 1
    if (cut !== 0) {
      state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff
      size = 1 + ((state >> 16) % (1 << (cut % 8)))
    }
    yield bytes.subarray(at, at + size)
    at += size
  }
}
