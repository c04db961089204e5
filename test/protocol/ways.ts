// Each case of a decoder runs on both sides, whole and byte by byte, alone and with a frame after it, on memory that the
// decoder owns and on memory that it does not.

import type { Test } from 'tap'
import type { ErrorCode } from '../../lib/errors.js'
import type { Frame } from '../../lib/protocol/frame.js'
import { byteByByte, bytesOf, describe, text, type WireFrame, wire } from '../support/frames.js'

export interface Side {
  role: 'server' | 'client'
  /** Whether this side reads masked frames (RFC 6455 §5.1). */
  masked: boolean
}

export const SIDES: Record<string, Side> = {
  'a server': { role: 'server', masked: true },
  'a client': { role: 'client', masked: false }
}

export const WAYS: Record<string, (bytes: Buffer) => Buffer[]> = {
  whole: bytes => [bytesOf(bytes)],
  'byte by byte': byteByByte
}

/** The input: valid frames, possibly with something invalid after them. */
export interface Arrival {
  frames: WireFrame[]
  /** Bytes that break a rule; empty if all is valid. */
  wrong?: (masked: boolean) => Buffer
  error?: ErrorCode
}

/** The output. */
export interface Outcome {
  got: string[]
  error?: string | undefined
  /** The number of bytes that had been fed when it failed. */
  fed: number
}

export const BEHIND = text('behind')

/**
 * Runs one case in all ways.
 * @param expected - the output for the valid frames
 * @param behind - the output for `BEHIND`
 * @param read - feeds chunks to a new decoder until they end or it fails
 */
export function inAllWays(
  t: Test,
  { frames, wrong, error }: Arrival,
  expected: string[],
  behind: string,
  read: (side: Side, chunks: Buffer[], owned: boolean) => Outcome
): void {
  for (const [who, side] of Object.entries(SIDES)) {
    const bad = wrong?.(side.masked) ?? Buffer.alloc(0)
    const bytes = Buffer.concat([wire(side.masked, ...frames), bad])
    for (const [way, cut] of Object.entries(WAYS)) {
      for (const owned of [false, true]) {
        const circumstances = `${who}, ${way}, ${owned ? 'its own memory' : "another's memory"}`
        for (const followed of [false, true]) {
          const chunks = cut(followed ? Buffer.concat([bytes, wire(side.masked, BEHIND)]) : bytes)
          const before = Buffer.concat(chunks)
          const outcome = read(side, chunks, owned)
          const all = followed && error === undefined ? [...expected, behind] : expected
          t.same(
            { got: outcome.got, error: outcome.error },
            { got: all, error },
            `${circumstances}${followed ? ', a frame behind' : ''}`
          )
          if (!owned && !before.equals(Buffer.concat(chunks))) t.fail(`${circumstances}: a chunk was changed`)
          if (error !== undefined && way !== 'whole' && outcome.fed > bytes.length) {
            t.fail(`${circumstances}: failed after ${outcome.fed} bytes, where ${bytes.length} show the fault`)
          }
        }
      }
    }
  }
}

/** Joins the parts of frames again, and describes the whole. */
export class Gatherer {
  readonly got: string[] = []
  private parts: Buffer[] = []
  private size = 0

  take(frame: Frame): void {
    if (frame.offset !== this.size) throw new Error(`a part at ${frame.offset} is out of place`)
    this.parts.push(bytesOf(frame.payload))
    this.size += frame.size
    if (!frame.complete) return
    const payload = Buffer.concat(this.parts)
    this.parts = []
    this.size = 0
    this.got.push(describe({ opcode: frame.opcode, fin: frame.fin, rsv: frame.rsv, payload }))
  }
}

/** The code of an error of this library; others are rethrown. */
export function codeOf(error: unknown): string {
  if (error instanceof Error && 'closeCode' in error && 'code' in error) return String(error.code)
  throw error
}
