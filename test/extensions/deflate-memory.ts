// Run as a process that reports its memory growth: `node deflate-memory.js limit|drop|keep|linger`

import { constants, deflateRawSync } from 'node:zlib'
import { permessageDeflate } from '../../lib/extensions/permessage-deflate.js'
import { Frame } from '../../lib/protocol/frame.js'
import { Opcode } from '../../lib/protocol/opcode.js'

const MIB = 2 ** 20
const [, , what] = process.argv

const session = permessageDeflate().createServerSession([{}])!
const codec = session.streaming!.incoming(what === 'limit' ? MIB : Number.POSITIVE_INFINITY)

async function take(payload: Buffer): Promise<{ inflated: number; code: string | undefined }> {
  const kept: Frame[] = []
  let inflated = 0
  codec.push(new Frame(Opcode.Binary, payload, true, 4))
  try {
    for (;;) {
      for (let frame = codec.next(); frame !== null; frame = codec.next()) {
        inflated += frame.size
        if (what === 'keep') kept.push(frame)
      }
      if (!codec.busy) return { inflated, code: undefined }
      await new Promise<void>(resolve => {
        codec.ready = resolve
      })
    }
  } catch (error) {
    return { inflated, code: (error as { code: string }).code }
  }
}

if (what === 'linger') {
  // a codec that is never closed must not keep the process alive
  const sender = session.streaming!.outgoing()
  sender.push(new Frame(Opcode.Binary, Buffer.alloc(100)))
  await take(Buffer.concat([sender.next()!.payload]))
} else {
  // 1 MiB that refers to nothing before it, 256 times
  const one = deflateRawSync(Buffer.alloc(MIB), { finishFlush: constants.Z_FULL_FLUSH })
  // RFC 7692 §7.2.3.6: a byte that the tail completes
  const end = Buffer.from([0])
  const bomb = Buffer.concat([...Array.from({ length: 256 }, () => one), end])
  await take(Buffer.concat([one, end]))
  const before = process.resourceUsage().maxRSS
  const result = await take(bomb)
  const grown = (process.resourceUsage().maxRSS - before) * 1024
  console.log(JSON.stringify({ ...result, size: bomb.length, grown }))
}
