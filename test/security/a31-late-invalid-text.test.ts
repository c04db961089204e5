// A31: text of 4 MiB and more whose last byte is not UTF-8.

import { deflateRawSync } from 'node:zlib'
import t from 'tap'
import { permessageDeflate } from '../../lib/index.js'
import { TEXT } from '../support/raw-peer.js'
import { fate, type Met, MIB, meet, WAYS } from './support.js'

const SIZE = 4 * MIB + 3

/** Text with the end `end`, in ASCII or not. */
function textOf(character: string, end: number[]): Buffer {
  const bytes = Buffer.alloc(SIZE, character)
  const whole = SIZE - (SIZE % Buffer.byteLength(character))
  return Buffer.concat([bytes.subarray(0, whole), Buffer.from(end)])
}

const WRONG: [name: string, end: number[]][] = [
  ['a byte that is none', [0xff]],
  ['half a character', [0xe2, 0x82]],
  ['the first byte of one', [0xc3]],
  ['a surrogate', [0xed, 0xa0, 0x80]],
  ['a continuation', [0x80]]
]

function send({ peer }: Met, bytes: Buffer, parts: number): void {
  const size = Math.ceil(bytes.length / parts)
  for (let i = 0; i < parts; i++) {
    peer.send(i === 0 ? TEXT : 0, bytes.subarray(i * size, (i + 1) * size), { fin: i === parts - 1 })
  }
}

for (const way of WAYS) {
  for (const character of ['a', 'ä', '€', '😀']) {
    t.test(`${way}: ${character}, and an invalid byte at the end, whole and in fragments`, async t => {
      for (const [name, end] of WRONG) {
        for (const parts of [1, 5]) {
          const met = await meet(t, way)
          send(met, textOf(character, end), parts)
          t.match(await fate(met), { said: 1007, code: 1007, error: 'WS_ERR_INVALID_UTF8' }, name)
          t.same(met.got, [])
        }
      }
    })
  }

  t.test(`${way}: the same in compressed data`, async t => {
    const fields = { 'Sec-WebSocket-Extensions': 'permessage-deflate' }
    const met = await meet(t, way, { extensions: [permessageDeflate()], closeTimeout: 500 }, { fields })
    const payload = deflateRawSync(textOf('ä', [0xff]), { finishFlush: 2 }).subarray(0, -4)
    met.peer.send(TEXT, payload, { rsv: 4 })
    t.match(await fate(met), { said: 1007, code: 1007 })
  })

  t.test(`${way}: valid to its end, it arrives`, async t => {
    for (const character of ['a', '€']) {
      const met = await meet(t, way)
      const bytes = textOf(character, [0xe2, 0x82, 0xac])
      send(met, bytes, 5)
      met.peer.close()
      t.match(await fate(met), { code: 1000 })
      t.equal(met.got.length, 1)
      t.ok(Buffer.from(met.got[0] as string).equals(bytes))
    }
  })
}
