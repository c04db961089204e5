// A01: the length of a frame of hixie-75 or hixie-76 as an endless run of bytes above 7F. Servers only: no client speaks these drafts.

import t, { type Test } from 'tap'
import type { WebSocketOptions } from '../../lib/index.js'
import { ended, measured, VERSIONS } from '../support/draft-frames.js'
import { BODY, request75, request76 } from '../support/draft-requests.js'
import { greet, MIB, pour } from './support.js'

async function open(t: Test, version: (typeof VERSIONS)[number], options: WebSocketOptions = {}) {
  const { ws, peer } = await greet(t, 'server', { allowDrafts: true, ...options })
  const errors: object[] = []
  ws.on('error', error => errors.push(error))
  const got: unknown[] = []
  ws.on('message', message => got.push(message))
  if (version === 'hixie-75') peer.write(request75())
  else peer.write(request76(), BODY)
  t.equal((await ws.opened).version, version)
  return { ws, peer, errors, got }
}

for (const version of VERSIONS) {
  const endless: [name: string, digit: number, code: string][] = [
    ['a length that grows', 0xff, 'WS_ERR_FRAME_TOO_LARGE'],
    ['leading zeros', 0x80, 'WS_ERR_INVALID_LENGTH']
  ]
  for (const [name, digit, code] of endless) {
    t.test(`${version}: an endless ${name} is refused early`, async t => {
      const { ws, peer, errors } = await open(t, version)
      peer.write(Buffer.from([0x80]))
      const poured = await pour(peer, Buffer.alloc(1024, digit), MIB)
      t.ok(poured < MIB / 8, `${poured} bytes were taken`)
      peer.end()
      await ws.whenClosed()
      t.match(errors, [{ code }])
    })
  }

  t.test(`${version}: also if frames have no limit`, async t => {
    const { ws, peer, errors } = await open(t, version, { maxFrameSize: Number.POSITIVE_INFINITY })
    peer.write(Buffer.from([0x80]))
    t.ok((await pour(peer, Buffer.alloc(1024, 0xff), MIB)) < MIB / 8)
    peer.end()
    await ws.whenClosed()
    t.equal(errors.length, 1)
  })

  t.test(`${version}: skipped frames count as well, and so does endless text`, async t => {
    for (const start of [measured(0x80, '', 1).subarray(0, 1), Buffer.from([0x00]), Buffer.from([0x01])]) {
      const { ws, peer, errors } = await open(t, version, { maxFrameSize: 10_000, maxMessageSize: 10_000 })
      // 0x80: a frame of 65535 bytes to be skipped
      peer.write(start[0] === 0x80 ? Buffer.from([0x80, 0x83, 0xff, 0x7f]) : start)
      t.ok((await pour(peer, Buffer.alloc(1024, 0x61), MIB)) < MIB / 8)
      peer.end()
      await ws.whenClosed()
      t.match(errors, [{ code: /TOO_LARGE/ }])
    }
  })

  t.test(`${version}: a length within bounds is skipped, and the text after it arrives`, async t => {
    const { ws, peer, got } = await open(t, version)
    peer.write(measured(0x80, 'x'.repeat(300)), ended('text'))
    peer.end()
    await ws.whenClosed()
    t.same(got, ['text'])
  })
}

t.test('a parser that only added digits would read for ever', async t => {
  let length = 0
  // no digit exceeds a limit that is checked only after the last one, and in the end it is not a safe number
  for (let i = 0; i < MIB; i++) length = length * 128 + 0x7f
  t.equal(length, Number.POSITIVE_INFINITY)
})
