// A18: one mask for many frames. Those of a client are fresh for each frame, and from a cryptographic source.

import t from 'tap'
import { BINARY } from '../support/raw-peer.js'
import { inProcess, meet } from './support.js'

const COUNT = 5000

t.test('each frame has a mask of its own, fragments and control frames as well', async t => {
  const { ws, peer } = await meet(t, 'client', { fragmentSize: 100 }, { reads: false })
  const masks = new Set<number>()
  let frames = 0
  const reading = (async () => {
    for (; frames < COUNT; frames++) {
      const frame = (await peer.nextFrame())!
      if (!frame.masked) t.fail('a frame is not masked')
      masks.add(frame.mask)
    }
  })()
  for (let i = 0; i < COUNT / 5; i++) {
    ws.ping()
    ws.binary(Buffer.alloc(400))
  }
  await reading
  // two of them are the same in one run out of hundreds
  t.ok(masks.size >= frames - 1, `${masks.size} masks in ${frames} frames`)
  const ones = [...masks].reduce((sum, mask) => sum + bits(mask), 0)
  t.ok(Math.abs(ones / masks.size - 16) < 0.5, `${ones / masks.size} bits of 32 are set`)
})

function bits(mask: number): number {
  let count = 0
  for (let rest = mask >>> 0; rest > 0; rest = Math.floor(rest / 2)) count += rest % 2
  return count
}

t.test('a server masks nothing', async t => {
  const { ws, peer } = await meet(t, 'server')
  ws.binary(Buffer.alloc(10))
  t.match(await peer.nextFrame(), { opcode: BINARY, masked: false })
})

t.test('they come from the source of node:crypto, and from nothing else', { timeout: 60_000 }, async t => {
  const { usual, withoutMathRandom, withoutCrypto } = await inProcess<Record<string, number>>('a18')
  t.equal(usual, 100)
  t.equal(withoutMathRandom, 100, 'where Math.random always says the same')
  t.equal(withoutCrypto, 1, 'where node:crypto gives nothing but zeros')
})
