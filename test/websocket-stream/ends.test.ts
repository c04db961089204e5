// However a connection ends, in any state: one `close` event, with the right information.

import { once } from 'node:events'
import t, { type Test } from 'tap'
import type { CloseInfo } from '../../lib/index.js'
import { BINARY, CLOSE, closeBody, type RawPeer, readClose, requestHead, TEXT } from '../support/raw-peer.js'
import { fresh, make, nameOf, open, SETUPS, type Setup, type Side, settle } from './sides.js'

type Expected = Partial<CloseInfo>

interface Ending {
  name: string
  act(side: Side, setup: Setup): void | Promise<unknown>
  info: Expected
}

const lost = (initiator?: 'local' | 'peer'): Expected => ({
  code: 1006,
  wasClean: false,
  ...(initiator === undefined ? {} : { initiator })
})

/** Events that can happen to any connection, in any state. */
const BREAKS: readonly Ending[] = [
  { name: 'the peer ends the wire', act: ({ peer }) => peer.end(), info: lost('peer') },
  { name: 'the peer resets the wire', act: ({ peer }) => peer.reset(), info: lost('peer') },
  { name: 'the application destroys it', act: ({ ws }) => void ws.destroy(), info: lost('local') },
  {
    name: 'the application destroys it with an error',
    act: ({ ws }) => void ws.destroy(new Error('enough')),
    info: lost('local')
  },
  { name: 'the application destroys the socket', act: ({ socket }) => void socket.destroy(), info: lost() },
  {
    name: 'the application destroys the socket with an error',
    act: ({ socket }) => void socket.destroy(new Error('enough')),
    info: lost()
  }
]

// RFC 6455 §7.1.1: the server ends the wire first
async function endInOrder(peer: RawPeer, role: Setup['role']): Promise<void> {
  if (role !== 'client') await peer.ended()
  peer.end()
}

async function finish(t: Test, side: Side, info: Expected): Promise<void> {
  const { ws, closes, peer, socket } = side
  const end = await ws.whenClosed()
  if (closes.length === 0) await new Promise(resolve => ws.on('close', resolve))
  t.match(end, info)
  t.strictSame(ws.closeInfo, end)
  t.equal(ws.readyState, 'closed')
  await peer.ended()
  if (!socket.destroyed) {
    // the peer has to end the rest of the wire
    peer.end()
    if (!socket.closed) await once(socket, 'close')
  }
  await settle()
  t.strictSame(closes, [end], 'one close event')
  t.equal(ws.text('late'), false)
  t.equal(ws.binary(Buffer.from('late')), false)
  t.equal(ws.pong(), false)
  ws.close()
  ws.destroy()
  await settle(2)
  t.equal(closes.length, 1)
}

function matrix(name: string, start: (t: Test, setup: Setup) => Promise<Side>, endings: readonly Ending[]): void {
  t.test(name, async t => {
    for (const ending of endings) {
      t.test(ending.name, async t => {
        for (const setup of SETUPS) {
          t.test(nameOf(setup), { timeout: 8000 }, async t => {
            const side = await start(t, setup)
            await ending.act(side, setup)
            await finish(t, side, ending.info)
          })
        }
      })
    }
  })
}

matrix('before a byte of the handshake has come', fresh, [
  ...BREAKS,
  { name: 'its end is disposed of', act: ({ ws }) => ws[Symbol.asyncDispose](), info: lost('local') }
])

matrix(
  'in the middle of the handshake',
  async (t, setup) => {
    const side = await fresh(t, setup)
    if (setup.role === 'client') {
      await side.peer.head()
      side.peer.write(Buffer.from('HTTP/1.1 101 Swit'))
    } else {
      side.peer.write(requestHead().subarray(0, 40))
    }
    await settle(3)
    return side
  },
  BREAKS
)

matrix('open', open, [
  ...BREAKS,
  {
    name: 'this side closes',
    act: async ({ ws, peer }) => {
      ws.close(3000, 'bye')
      strictEqual(await peer.answerClose(), { code: 3000, reason: 'bye' })
    },
    info: { code: 3000, reason: 'bye', wasClean: true, initiator: 'local' }
  },
  {
    name: 'the peer closes',
    act: async ({ peer }, { role }) => {
      peer.close(3001, 'theirs')
      strictEqual(readClose(await peer.nextFrame()), { code: 3001, reason: 'theirs' })
      await endInOrder(peer, role)
    },
    info: { code: 3001, reason: 'theirs', wasClean: true, initiator: 'peer' }
  },
  {
    name: 'the peer closes without a code',
    act: async ({ peer }, { role }) => {
      peer.send(CLOSE)
      strictEqual((await peer.nextFrame())!.payload.length, 0)
      await endInOrder(peer, role)
    },
    info: { code: 1005, reason: '', wasClean: true, initiator: 'peer' }
  },
  {
    name: 'both close at once',
    act: async ({ ws, peer }, { role }) => {
      peer.close(3001, 'theirs')
      ws.close(3000, 'ours')
      strictEqual(readClose(await peer.nextFrame()), { code: 3000, reason: 'ours' })
      await endInOrder(peer, role)
    },
    info: { code: 3001, reason: 'theirs', wasClean: true, initiator: 'local' }
  },
  {
    name: 'the peer closes and ends the wire in one go',
    act: ({ peer }) => {
      peer.close(1001)
      peer.end()
    },
    info: { code: 1001, wasClean: true, initiator: 'peer' }
  },
  {
    name: 'messages are ended',
    act: async ({ ws, peer }) => {
      ws.messages.end()
      strictEqual(await peer.answerClose(), { code: 1000, reason: '' })
    },
    info: { code: 1000, wasClean: true, initiator: 'local' }
  },
  {
    name: 'messages are destroyed',
    act: async ({ ws, peer }) => {
      ws.messages.destroy()
      strictEqual(await peer.answerClose(), { code: 1000, reason: '' })
    },
    info: { code: 1000, wasClean: true, initiator: 'local' }
  },
  {
    name: 'messages are destroyed with an error',
    act: async ({ ws, peer }) => {
      ws.messages.destroy(new Error('enough'))
      strictEqual(await peer.answerClose(), { code: 1011, reason: '' })
    },
    info: { code: 1011, wasClean: true, initiator: 'local' }
  },
  {
    name: 'it is disposed of',
    act: async ({ ws, peer }) => {
      await Promise.all([ws[Symbol.asyncDispose](), peer.answerClose()])
    },
    info: { code: 1000, wasClean: true, initiator: 'local' }
  }
])

matrix(
  'in the middle of a frame',
  async (t, setup) => {
    const side = await open(t, setup)
    side.peer.write(side.peer.frame(BINARY, Buffer.alloc(1000)).subarray(0, 500))
    await settle(3)
    return side
  },
  [
    ...BREAKS,
    {
      name: 'this side closes, and the peer finishes its frame',
      act: async ({ ws, peer }, { role }) => {
        ws.close()
        readClose(await peer.nextFrame())
        const rest = Buffer.alloc(500 + (role === 'client' ? 4 : 8))
        peer.write(rest, peer.frame(CLOSE, closeBody(1000)))
        await endInOrder(peer, role)
      },
      info: { code: 1000, wasClean: true, initiator: 'local' }
    }
  ]
)

matrix(
  'in the middle of a message',
  async (t, setup) => {
    const side = await open(t, setup)
    side.peer.send(TEXT, 'begun', { fin: false })
    await settle(3)
    return side
  },
  [
    ...BREAKS,
    {
      name: 'the peer closes',
      act: async ({ peer }, { role }) => {
        peer.close(1000)
        readClose(await peer.nextFrame())
        await endInOrder(peer, role)
      },
      info: { code: 1000, wasClean: true, initiator: 'peer' }
    }
  ]
)

matrix(
  'waiting for the answer to our Close',
  async (t, setup) => {
    const side = await open(t, setup)
    side.ws.close(3000)
    readClose(await side.peer.nextFrame())
    return side
  },
  BREAKS.map(ending => ({ ...ending, info: lost('local') }))
)

matrix(
  'both Close frames exchanged, and the wire still open',
  async (t, setup) => {
    const side = await open(t, setup)
    side.peer.close(3001)
    readClose(await side.peer.nextFrame())
    // until the wire reports that it has taken it
    await settle(3)
    return side
  },
  BREAKS.map(ending => ({ ...ending, info: { code: 3001, wasClean: true, initiator: 'peer' } }))
)

function strictEqual(found: unknown, wanted: unknown): void {
  if (JSON.stringify(found) !== JSON.stringify(wanted)) {
    throw new Error(`found ${JSON.stringify(found)}, wanted ${JSON.stringify(wanted)}`)
  }
}

t.test('a connection without a wire', async t => {
  t.test('ends at once when it is destroyed', async t => {
    for (const role of ['server', 'http', 'client'] as const) {
      const ws = make(role)
      let closes = 0
      ws.on('close', () => closes++)
      ws.destroy()
      t.match(await ws.whenClosed(), lost('local'))
      await settle()
      t.equal(closes, 1)
    }
  })
})

for (const setup of SETUPS) {
  t.test(`only the first error is emitted: ${nameOf(setup)}`, async t => {
    const errors: unknown[] = []
    const first = await open(t, setup)
    first.ws.on('error', error => errors.push(error.message))
    first.ws.messages.destroy(new Error("the application's"))
    first.peer.reset()
    t.match(await first.ws.whenClosed(), { code: 1006 })
    await settle()
    t.same(errors.splice(0), ["the application's"])

    const second = await open(t, setup)
    second.ws.on('error', error => errors.push((error as { code?: string }).code))
    second.peer.write(second.peer.frame(3))
    t.equal(readClose(await second.peer.nextFrame()).code, 1002)
    await settle()
    second.ws.messages.destroy(new Error("the application's"))
    second.peer.stream.destroy()
    await second.ws.whenClosed()
    await settle()
    t.same(errors, ['WS_ERR_INVALID_OPCODE'])
  })
}
