// Bytes come in, the lines in them come out, in batches: all that one chunk ended. Knows no encoding.

import { Failure } from './io.js'

/** Bytes of one line at most: by default, peers take no larger message. */
const LONGEST_LINE = 2 ** 26

const LF = 10
const CR = 13

/**
 * Splits at LF, with a CR before it left out; what follows the last one is a line too, unless it is empty.
 * @throws Failure for a line of more than 64 MiB
 */
export async function* linesOf(chunks: AsyncIterable<Buffer>, longest = LONGEST_LINE): AsyncGenerator<Buffer[]> {
  let begun: Buffer[] = []
  let size = 0
  for await (const chunk of chunks) {
    const lines: Buffer[] = []
    let start = 0
    for (let end = chunk.indexOf(LF); end >= 0; end = chunk.indexOf(LF, start)) {
      const rest = chunk.subarray(start, end)
      lines.push(withoutCr(begun.length === 0 ? rest : Buffer.concat([...begun, rest])))
      begun = []
      size = 0
      start = end + 1
    }
    if (start < chunk.length) begun.push(chunk.subarray(start))
    size += chunk.length - start
    if (size > longest) throw new Failure(`a line is longer than ${longest} bytes`)
    if (lines.length > 0) yield lines
  }
  if (size > 0) yield [withoutCr(Buffer.concat(begun))]
}

function withoutCr(line: Buffer): Buffer {
  return line.at(-1) === CR ? line.subarray(0, -1) : line
}
