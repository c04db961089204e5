// A24: a peer that never answers our Close, or stops reading in the closing handshake. `closeTimeout` ends the connection, whether or not
// the application reads.

import t from 'tap'
import { BINARY } from '../support/raw-peer.js'
import { within } from '../websocket-stream/sides.js'
import { type Met, meet, turn, WAYS } from './support.js'

const closeTimeout = 60
const LARGE = Buffer.alloc(65536)

/** Fills all buffers on the way to the peer. */
async function stuff({ ws, peer }: Met): Promise<void> {
  peer.stream.pause()
  for (let i = 0; i < 64; i++) ws.binary(LARGE)
  await turn()
}

/** Sends more to our side than it takes. */
async function overwhelm({ peer }: Met): Promise<void> {
  for (let i = 0; i < 32; i++) peer.send(BINARY, LARGE)
  for (let i = 0; i < 20; i++) await turn()
}

const DEAF: [name: string, act: (met: Met) => void | Promise<void>, code?: number][] = [
  ['our Close is not answered', ({ ws }) => void ws.close()],
  [
    'our Close finds no room',
    async met => {
      await stuff(met)
      met.ws.close(3000)
    }
  ],
  [
    'messages.end() finds no room',
    async met => {
      await stuff(met)
      met.ws.messages.end()
    }
  ],
  ['theirs is answered, and they never end the wire', ({ peer }) => void peer.close(), 1000],
  [
    'theirs cannot be answered',
    async met => {
      await stuff(met)
      met.peer.close()
    },
    1000
  ],
  [
    'they break a rule and read no more',
    async met => {
      await stuff(met)
      met.peer.send(3)
    },
    1002
  ],
  [
    'they send and send instead',
    async met => {
      met.ws.close()
      await overwhelm(met)
    }
  ]
] // prettier-ignore

for (const way of WAYS) {
  for (const reads of [true, false]) {
    for (const [name, act, code = 1006] of DEAF) {
      t.test(`${way}, ${reads ? 'read' : 'not read'}: ${name}`, async t => {
        const met = await meet(t, way, { closeTimeout }, { reads })
        const { ws, closes } = met
        // messages of the peer have to be read first
        if (!reads && code === 1006) await overwhelm(met)
        await act(met)
        const info = await within(closeTimeout * 50, ws.whenClosed())
        t.ok(info !== undefined, 'it is over')
        if (reads) t.equal(info?.code, code)
        await turn()
        t.equal(closes.length, 1)
        t.equal(ws.readyState, 'closed')
      })
    }
  }

  t.test(`${way}: without a limit it waits for ever`, async t => {
    const { ws } = await meet(t, way, { closeTimeout: Number.POSITIVE_INFINITY })
    ws.close()
    t.equal(await within(closeTimeout * 3, ws.whenClosed()), undefined)
    ws.destroy()
    t.match(await ws.whenClosed(), { code: 1006, initiator: 'local' })
  })
}
