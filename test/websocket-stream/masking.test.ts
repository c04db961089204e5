// Peers that break the masking rules of RFC 6455 §5.1 and §5.3, if the application allows them.

import { once } from 'node:events'
import t from 'tap'
import { permessageDeflate } from '../../lib/index.js'
import { BINARY, PING, PONG, TEXT } from '../support/raw-peer.js'
import { IN_MEMORY, nameOf, open, ours, SETUPS } from './sides.js'

const SIZES = [0, 1, 125, 126, 5000, 70_000]

for (const setup of SETUPS) {
  t.test(`${nameOf(setup)}: requireMasking false accepts both, alternating`, async t => {
    const { ws, peer } = await open(t, setup, { requireMasking: false })
    const got: Buffer[] = []
    ws.on('message', message => got.push(Buffer.from(message)))
    const sent: Buffer[] = []
    for (const size of SIZES) {
      for (const masked of [true, false]) {
        const bytes = Buffer.alloc(size, size + Number(masked) + 1)
        sent.push(bytes)
        peer.send(BINARY, bytes, { masked })
        peer.send(PING, `${size}`, { masked })
      }
    }
    for (let count = 0; count < sent.length; count++) t.match(await peer.nextFrame(), { opcode: PONG })
    t.strictSame(got, sent)
  })

  t.test(`${nameOf(setup)}: masking reversed`, async t => {
    const isClient = setup.role === 'client'
    const { ws, peer } = await open(t, setup, { masking: !isClient })
    for (const size of SIZES) {
      const bytes = Buffer.alloc(size, 7)
      ws.binary(bytes)
      const frame = await peer.nextFrame()
      t.match(frame, { masked: !isClient, payload: bytes }, String(size))
    }
    ws.pong('x')
    t.match(await peer.nextFrame(), { opcode: PONG, masked: !isClient, payload: Buffer.from('x') })
  })
}

for (const setup of IN_MEMORY) {
  t.test(`${nameOf(setup)}: without the option both are refused as usual`, async t => {
    const { ws, peer } = await open(t, setup, { requireMasking: true })
    const error = once(ws, 'error')
    peer.send(TEXT, 'x', { masked: setup.role === 'client' })
    await peer.nextFrame()
    peer.end()
    t.match(await error, [{ code: setup.role === 'client' ? 'WS_ERR_UNEXPECTED_MASK' : 'WS_ERR_EXPECTED_MASK' }])
  })
}

t.test('two sides that do not mask work together, compressed or not', async t => {
  for (const extensions of [[], [permessageDeflate({ threshold: 0 })]]) {
    const { server, client } = await ours(t, { masking: false, requireMasking: false, extensions })
    server.on('message', message => server.text(String(message)))
    for (const text of ['', 'short', 'long '.repeat(20_000)]) {
      const answer = once(client, 'message')
      client.text(text)
      t.same(await answer, [text])
    }
  }
})
