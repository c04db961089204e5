// Run as a process: the memory for frames that announce a gigabyte and have ten bytes, compared with that for a quarter of one.

import { BINARY } from '../../support/raw-peer.js'
import { MIB, meet, turn, WAYS } from '../support.js'
import { nobody, peak, say } from './measure.js'

const none = Number.POSITIVE_INFINITY

async function declare(length: number): Promise<void> {
  for (const way of WAYS) {
    const { peer } = await meet(nobody, way, { maxFrameSize: none, maxMessageSize: none })
    peer.send(BINARY, '0123456789', { declared: length })
    for (let i = 0; i < 20; i++) await turn()
  }
}

await declare(100)
const declared = await peak(() => declare(1024 * MIB))
const naive = await peak(() => Buffer.alloc(256 * MIB, 1))
say({ declared, naive })
