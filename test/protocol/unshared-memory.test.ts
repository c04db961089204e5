// If the platform cannot keep shared memory from being transferred, like browsers, no two payloads share memory.

import t from 'tap'
import { Frame } from '../../lib/protocol/frame.js'
import { Opcode } from '../../lib/protocol/opcode.js'
import type * as Received from '../../lib/protocol/received-bytes.js'
import type * as Small from '../../lib/protocol/small-payload.js'
import * as runtime from '../../lib/runtime/node.js'
import { pattern } from '../support/frames.js'

t.test('each payload has its own memory', async t => {
  const node = { ...runtime, markAsShared: () => false }
  const mocks = byBothNames('../../lib/runtime/node', node)
  const small = await t.mockImport<typeof Small>('../../lib/protocol/small-payload.ts', mocks)
  const { readBinary } = await t.mockImport<typeof Received>('../../lib/protocol/received-bytes.ts', {
    ...mocks,
    ...byBothNames('../../lib/protocol/small-payload', small)
  })
  for (const size of [100, 1023, 5000]) {
    const chunk = Buffer.concat([pattern(size), pattern(size), pattern(size)])
    const read = (at: number) => readBinary(new Frame(Opcode.Binary, chunk).within(at * size, size, 0, 'us'))
    const all = [read(0), read(1), read(2)]
    t.equal(new Set([chunk, ...all].map(({ buffer }) => buffer)).size, 4)
    t.ok(all.every(bytes => bytes.equals(pattern(size)) && bytes.buffer.byteLength === size))
  }
})

/** Some versions of Node resolve an import by the name in its source, some by that of the file. */
function byBothNames(path: string, mock: object): Record<string, object> {
  return { [`${path}.js`]: mock, [`${path}.ts`]: mock }
}
