// Splits a stream of bytes into lines, whatever its chunks are.

import t from 'tap'
import { Failure } from '../../lib/cli/io.js'
import { lengthOf, linesOf, recordsOf, sizedRecordsOf } from '../../lib/cli/lines.js'

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

t.test('the lines that one chunk completes are given at once', async t => {
  const batches: string[][] = []
  for await (const batch of linesOf(stream('a\nb\nc', 'd\n', 'e'))) batches.push(batch.map(String))
  t.strictSame(batches, [['a', 'b'], ['cd'], ['e']])
})

t.test('the length of a line is limited', async t => {
  const read = async (...chunks: string[]): Promise<number> => {
    let count = 0
    for await (const batch of linesOf(stream(...chunks), 5)) count += batch.length
    return count
  }
  t.equal(await read('12', '345', '\n12345'), 2)
  await t.rejects(read('12', '345', '6'), new Failure('a line is longer than 5 bytes'))
})

async function all(batches: AsyncIterable<Buffer[]>): Promise<string[]> {
  const records: string[] = []
  for await (const batch of batches) records.push(...batch.map(String))
  return records
}

t.test('records end with NUL, and may contain line feeds', async t => {
  t.strictSame(await all(recordsOf(stream('one\n', 'more\r\0', '\0two'))), ['one\nmore\r', '', 'two'])
  await t.rejects(all(recordsOf(stream('123'), 2)), { message: 'a record is longer than 2 bytes' })
})

t.test('records after their length, whole and byte by byte', async t => {
  const records = ['one', '', 'two\n', 'x'.repeat(300)]
  const bytes = Buffer.concat(records.flatMap(record => [lengthOf(Buffer.from(record)), Buffer.from(record)]))
  async function* cut(size: number): AsyncGenerator<Buffer> {
    for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
  }
  for (const size of [1, 3, 7, 1000]) t.strictSame(await all(sizedRecordsOf(cut(size))), records, `${size} at a time`)
  await t.rejects(all(sizedRecordsOf(cut(1000), 299)), { message: 'a record is longer than 299 bytes' })
  for (const end of ['\0', '\0\0\0\x02a']) {
    await t.rejects(all(sizedRecordsOf(stream('\0\0\0\x01a', end))), { message: 'stdin ends within a record' })
  }
})
