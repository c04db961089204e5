// Splits bytes into lines or records, in batches: all those that one chunk completes. Knows no encoding.

import { Failure } from './io.js'

/** Maximum size of one line: by default, peers accept no larger message. */
const LONGEST_LINE = 2 ** 26

const LF = 10
const CR = 13
const NUL = 0
/** Size of the length before a record, big-endian. */
const LENGTH_SIZE = 4

/**
 * Splits at LF, and removes a CR before it; the rest after the last one is a line too, unless it is empty.
 * @throws Failure if a line exceeds 64 MiB
 */
export function linesOf(chunks: AsyncIterable<Buffer>, longest = LONGEST_LINE): AsyncGenerator<Buffer[]> {
  return split(chunks, LF, 'line', longest)
}

/** Like `linesOf`, for records that end with NUL, such as those of `find -print0`. */
export function recordsOf(chunks: AsyncIterable<Buffer>, longest = LONGEST_LINE): AsyncGenerator<Buffer[]> {
  return split(chunks, NUL, 'record', longest)
}

/**
 * Reads records that each follow their length, in 4 bytes, big-endian.
 * @throws Failure if a record exceeds 64 MiB, or the input ends inside one
 */
export async function* sizedRecordsOf(chunks: AsyncIterable<Buffer>, longest = LONGEST_LINE): AsyncGenerator<Buffer[]> {
  let pieces: Buffer[] = []
  let held = 0
  let wanted = LENGTH_SIZE
  for await (const chunk of chunks) {
    pieces.push(chunk)
    held += chunk.length
    if (held < wanted) continue
    let rest = Buffer.concat(pieces)
    const records: Buffer[] = []
    for (wanted = sizeOf(rest, longest); rest.length >= wanted; wanted = sizeOf(rest, longest)) {
      records.push(rest.subarray(LENGTH_SIZE, wanted))
      rest = rest.subarray(wanted)
    }
    pieces = [rest]
    held = rest.length
    if (records.length > 0) yield records
  }
  if (held > 0) throw new Failure('stdin ends within a record')
}

/** The number of bytes needed to continue: for the length, or for the length and the whole record. */
function sizeOf(bytes: Buffer, longest: number): number {
  if (bytes.length < LENGTH_SIZE) return LENGTH_SIZE
  const size = bytes.readUInt32BE()
  if (size > longest) throw new Failure(`a record is longer than ${longest} bytes`)
  return LENGTH_SIZE + size
}

/** The length that precedes a record. */
export function lengthOf(record: Buffer): Buffer {
  const length = Buffer.alloc(LENGTH_SIZE)
  length.writeUInt32BE(record.length)
  return length
}

async function* split(
  chunks: AsyncIterable<Buffer>,
  mark: number,
  name: string,
  longest: number
): AsyncGenerator<Buffer[]> {
  const finish = mark === LF ? withoutCr : (record: Buffer): Buffer => record
  let begun: Buffer[] = []
  let size = 0
  for await (const chunk of chunks) {
    const lines: Buffer[] = []
    let start = 0
    for (let end = chunk.indexOf(mark); end >= 0; end = chunk.indexOf(mark, start)) {
      const rest = chunk.subarray(start, end)
      lines.push(finish(begun.length === 0 ? rest : Buffer.concat([...begun, rest])))
      begun = []
      size = 0
      start = end + 1
    }
    if (start < chunk.length) begun.push(chunk.subarray(start))
    size += chunk.length - start
    if (size > longest) throw new Failure(`a ${name} is longer than ${longest} bytes`)
    if (lines.length > 0) yield lines
  }
  if (size > 0) yield [finish(Buffer.concat(begun))]
}

function withoutCr(line: Buffer): Buffer {
  return line.at(-1) === CR ? line.subarray(0, -1) : line
}
