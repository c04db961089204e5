// Compressed data that inflates to much more.

import { constants, deflateRawSync } from 'node:zlib'
import { MIB } from '../support.js'

const NOTHING = deflateRawSync(Buffer.alloc(MIB), { finishFlush: constants.Z_FULL_FLUSH })

/** This many MiB of zeros as the payload of a compressed message (RFC 7692 §7.2.1). */
export function bomb(mib: number): Buffer {
  // §7.2.3.6: a byte that the tail completes
  return Buffer.concat([...Array.from({ length: mib }, () => NOTHING), Buffer.from([0])])
}
