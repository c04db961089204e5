// Lines of a stream of bytes, however it is cut.

import t from 'tap'
import { Failure } from '../../lib/cli/io.js'
import { linesOf } from '../../lib/cli/lines.js'

async function* stream(...chunks: string[]): AsyncGenerator<Buffer> {
  for (const chunk of chunks) yield Buffer.from(chunk)
}

async function lines(...chunks: string[]): Promise<string[]> {
  const all: string[] = []
  for await (const batch of linesOf(stream(...chunks))) all.push(...batch.map(String))
  return all
}

const TEXT = 'one\n\ntwo\r\nthrée\r\rfour'
const LINES = ['one', '', 'two', 'thrée\r\rfour']

t.test('whole', async t => {
  t.strictSame(await lines(TEXT), LINES)
  t.strictSame(await lines(`${TEXT}\n`), LINES)
  t.strictSame(await lines(), [])
  t.strictSame(await lines('\n'), [''])
})

t.test('cut anywhere, and byte by byte', async t => {
  const bytes = Buffer.from(TEXT)
  const all: string[] = []
  async function* single(): AsyncGenerator<Buffer> {
    for (const byte of bytes) yield Buffer.from([byte])
  }
  for await (const batch of linesOf(single())) all.push(...batch.map(String))
  t.strictSame(all, LINES)
  for (let cut = 0; cut < TEXT.length; cut++) t.strictSame(await lines(TEXT.slice(0, cut), TEXT.slice(cut)), LINES)
})

t.test('what one chunk ended comes at once', async t => {
  const batches: string[][] = []
  for await (const batch of linesOf(stream('a\nb\nc', 'd\n', 'e'))) batches.push(batch.map(String))
  t.strictSame(batches, [['a', 'b'], ['cd'], ['e']])
})

t.test('a line has a limit', async t => {
  const read = async (...chunks: string[]): Promise<number> => {
    let count = 0
    for await (const batch of linesOf(stream(...chunks), 5)) count += batch.length
    return count
  }
  t.equal(await read('12', '345', '\n12345'), 2)
  await t.rejects(read('12', '345', '6'), new Failure('a line is longer than 5 bytes'))
})
