// What a fuzz target is, and what all of them share.

/** Something that takes any bytes, and must end in progress, an orderly close or a refusal. */
export interface Target {
  readonly name: string
  /** Runs one input to its end. @throws where what must always hold does not */
  run(input: Buffer): void | Promise<void>
  /** What means something in this format. */
  readonly words?: readonly (string | Buffer)[]
  /** Bytes of an input at most. Default: 1024. */
  readonly maxLength?: number
}

/** What must always hold did not. */
export class Finding extends Error {}

export function demand(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Finding(otherwise)
}

/** An input taken apart: the first two bytes say how it is fed, the others are fed. */
export interface Given {
  /** Bits that choose among the circumstances of a target. */
  flags: number
  /** How the bytes are cut: 0 one by one, else into pieces of 1 to 64 bytes or more. */
  cut: number
  /** The rest, in memory of its own. */
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
