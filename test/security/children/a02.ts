// Run as a process: the cost of 128 MiB that arrive as a small compressed message, with a limit and without.

import { permessageDeflate } from '../../../lib/index.js'
import { BINARY } from '../../support/raw-peer.js'
import { fate, MIB, meet, WAYS } from '../support.js'
import { bomb } from './bomb.js'
import { nobody, peak, say } from './measure.js'

const payload = bomb(128)
const fields = { 'Sec-WebSocket-Extensions': 'permessage-deflate' }

async function receive(way: (typeof WAYS)[number], maxMessageSize: number, bytes: Buffer): Promise<void> {
  const options = { maxMessageSize, extensions: [permessageDeflate()], closeTimeout: 200 }
  const met = await meet(nobody, way, options, { fields })
  met.peer.send(BINARY, bytes, { rsv: 4 })
  met.peer.close()
  await fate(met)
}

for (const way of WAYS) await receive(way, MIB, bomb(4))
const limited = await peak(async () => {
  for (const way of WAYS) await receive(way, MIB, payload)
})
const unlimited = await peak(() => receive('server', Number.POSITIVE_INFINITY, payload))
say({ size: payload.length, limited, unlimited })
