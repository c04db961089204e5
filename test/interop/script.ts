// The messages that every peer exchanges with this library: sizes at the limits of the three length forms, and beyond them.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface ScriptMessage {
  name: string
  kind: 'text' | 'binary'
  data: Uint8Array
  /** Where the message is split if it is sent in pieces, in bytes, even within characters. */
  cuts: number[]
}

const MIB = 2 ** 20
const SIZES = [0, 1, 125, 126, 65535, 65536, 4 * MIB]

export const SCRIPT: readonly ScriptMessage[] = SIZES.flatMap(size => [
  entry('ASCII text', 'text', ascii(size)),
  ...(size > 1 ? [entry('multi-byte text', 'text', multiByte(size))] : []),
  entry('binary', 'binary', bytes(size))
])

function entry(what: string, kind: 'text' | 'binary', data: Uint8Array): ScriptMessage {
  return { name: `${what} of ${data.length} bytes`, kind, data, cuts: cutsOf(data.length) }
}

function ascii(size: number): Uint8Array {
  return Buffer.alloc(size, 'The quick brown fox jumps over the lazy dog. ')
}

// characters of 1, 2, 3 and 4 bytes, after enough ASCII to reach the size exactly
function multiByte(size: number): Uint8Array {
  const pattern = 'aé€😀'
  const length = Buffer.byteLength(pattern)
  return Buffer.from('x'.repeat(size % length) + pattern.repeat(Math.floor(size / length)))
}

function bytes(size: number): Uint8Array {
  const data = Buffer.alloc(size)
  for (let i = 0; i < size; i++) data[i] = (i * 7) ^ (i >>> 8)
  return data
}

// Fibonacci numbers split characters of every length at every place; the first piece is empty, and so is the last
function cutsOf(size: number): number[] {
  const cuts = [0]
  for (let a = 1, b = 2; a < size; [a, b] = [b, a + b]) cuts.push(a)
  return size > 0 ? [...cuts, size] : cuts
}

/** Writes the script for a peer that is another process: `script.json`, and each payload in a separate file. */
export function writeScript(folder: string): string {
  const index = SCRIPT.map(({ name, kind, cuts, data }, i) => {
    const file = `${i}.${kind}`
    writeFileSync(join(folder, file), data)
    return { name, kind, cuts, file }
  })
  writeFileSync(join(folder, 'script.json'), JSON.stringify(index))
  return folder
}
