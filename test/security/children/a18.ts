// Run as a process: the number of different masks in a hundred frames, with sources of random numbers replaced by constants.

import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { nobody, say } from './measure.js'

const WITHOUT = {
  randomFillSync: (bytes: Uint8Array) => bytes.fill(0),
  randomBytes: (size: number) => Buffer.alloc(size)
}

async function masks(): Promise<number> {
  const { meet } = await import('../support.js')
  const { ws, peer } = await meet(nobody, 'client')
  const seen = new Set<number>()
  for (let i = 0; i < 100; i++) {
    ws.binary(Buffer.alloc(10))
    seen.add((await peer.nextFrame())!.mask)
  }
  ws.destroy()
  return seen.size
}

const usual = await masks()
const { random } = Math
Math.random = () => 0.5
const withoutMathRandom = await masks()
Math.random = random
Object.assign(crypto, WITHOUT)
syncBuiltinESMExports()
// masks generated before are used up first
let withoutCrypto = 0
for (let i = 0; i < 100 && withoutCrypto !== 1; i++) withoutCrypto = await masks()
say({ usual, withoutMathRandom, withoutCrypto })
