// A34 at a relay: one side leaves, in any way and any state; the other gets a Close or is destroyed, nothing is written
// after an end, nothing is thrown, and nothing is left.

import { Duplex } from 'node:stream'
import t, { type Test } from 'tap'
import type { RelayOptions } from '../../lib/net/relay.js'
import { ask, open, type Relayed } from '../net/relay-sides.js'
import { BINARY, CLOSE, type RawPeer, readClose, TEXT, type WireFrame } from '../support/raw-peer.js'
import { settle, within } from '../websocket-stream/sides.js'

const SIDES = ['client', 'target'] as const
type Name = (typeof SIDES)[number]

const other = (name: Name): Name => (name === 'client' ? 'target' : 'client')

/** What the other side gets when this one is lost. */
const LOST = { client: 1001, target: 1014 } as const

const FORMS: Record<string, RelayOptions> = {
  frames: {},
  streams: { transform: {} },
  messages: { onMessage: message => message },
  'slow messages': { onMessage: message => settle(2).then(() => message) }
}

interface State {
  name: string
  /** Brings the side that is going to leave into this state. */
  enter(both: Relayed, name: Name): Promise<void> | void
  /** Whether the frame that it has begun is completed before its end. */
  halfFrame?: true
  /** It has sent a Close, with this code. */
  code?: number
}

const part = (peer: RawPeer): Buffer => peer.frame(BINARY, Buffer.alloc(2000, 'half')).subarray(0, 1000)

const STATES: readonly State[] = [
  { name: 'idle', enter() {} },
  {
    name: 'after messages',
    enter: async (both, name) => {
      both[name].write(both[name].frame(TEXT, 'a'), both[name].frame(TEXT, 'b'))
      await settle()
    }
  },
  {
    name: 'in the middle of a frame',
    halfFrame: true,
    enter: async (both, name) => {
      both[name].write(part(both[name]))
      await settle()
    }
  },
  {
    name: 'in the middle of a frame of which nobody has seen anything',
    halfFrame: true,
    enter: (both, name) => void both[name].write(part(both[name]))
  },
  {
    name: 'between two fragments',
    enter: async (both, name) => {
      both[name].send(TEXT, 'first', { fin: false })
      await settle()
    }
  },
  {
    name: 'with a header that is cut',
    enter: async (both, name) => {
      both[name].write(part(both[name]).subarray(0, 3))
      await settle()
    }
  },
  {
    name: 'while it is sent much that it does not read',
    enter: async (both, name) => {
      both[name].stream.pause()
      both[other(name)].write(
        ...Array.from({ length: 40 }, () => both[other(name)].frame(BINARY, Buffer.alloc(20_000)))
      )
      await settle(12)
    }
  },
  {
    name: 'in the middle of a frame of the other side’s',
    enter: async (both, name) => {
      both[other(name)].write(part(both[other(name)]))
      await settle()
    }
  },
  {
    name: 'after its Close',
    code: 4000,
    enter: async (both, name) => {
      both[name].close(4000, 'mine')
      await settle()
    }
  },
  {
    name: 'after the other side’s Close',
    enter: async (both, name) => {
      both[other(name)].close(4001, 'theirs')
      await settle()
    }
  }
]

interface Going {
  name: string
  go(both: Relayed, name: Name): void
}

const GOINGS: readonly Going[] = [
  { name: 'is reset', go: (both, name) => both[name].reset() },
  { name: 'ends its wire', go: (both, name) => both[name].end() },
  {
    name: 'is destroyed by the application',
    go: (both, name) => (name === 'client' ? both.ws : both.relay.target!).destroy()
  },
  {
    name: 'is destroyed by the application, with an error',
    go: (both, name) => (name === 'client' ? both.ws : both.relay.target!).destroy(new Error('enough'))
  },
  { name: 'has its wire destroyed', go: (both, name) => both.wires[name].destroy() }
]

const troubles: unknown[] = []
process.on('uncaughtExceptionMonitor', error => troubles.push(error))

for (const [form, options] of Object.entries(FORMS)) {
  for (const state of STATES) {
    t.test(`${form}: ${state.name}`, { timeout: 60_000 }, async t => {
      for (const going of GOINGS) for (const name of SIDES) await tryOne(t, options, state, going, name)
    })
  }
}

async function tryOne(t: Test, options: RelayOptions, state: State, going: Going, name: Name): Promise<void> {
  const title = `the ${name} ${going.name}`
  const closeTimeout = 80
  const both = await open(t, { server: { closeTimeout }, options: { ...options, connect: { closeTimeout } } })
  await state.enter(both, name)
  going.go(both, name)
  // the target does not answer before the client is gone
  await settle(3)
  both[name].stream.resume()

  const there = both[other(name)]
  const frames = await readToTheEnd(there)
  const ended = await within(3000, both.relay.closed)
  t.ok(ended, `${title}: both connections come to an end`)
  if (ended === undefined) return
  const own = ended[name]!
  // the end of a wire after a Close completes the closing handshake
  if (state.code === undefined || going.name !== 'ends its wire')
    t.notOk(own.wasClean, `${title}: it did not end cleanly`)
  t.ok(both.wires.client.destroyed && both.wires.target.destroyed, `${title}: both wires are gone`)
  checkWhatItHeard(t, title, frames, state, name)
  both.relay.destroy()
}

function checkWhatItHeard(t: Test, title: string, frames: WireFrame[] | 'cut', state: State, name: Name): void {
  if (frames === 'cut') {
    t.ok(state.halfFrame, `${title}: the other side sees a frame that is cut`)
    return
  }
  const closes = frames.filter(({ opcode }) => opcode === CLOSE)
  t.ok(closes.length <= 1 && (closes.length === 0 || frames.at(-1) === closes[0]), `${title}: nothing behind a Close`)
  if (closes.length === 0) {
    t.ok(state.halfFrame || state.name.startsWith('in the middle'), `${title}: the other side hears nothing`)
    return
  }
  const { code } = readClose(closes[0])
  const allowed = state.code === undefined ? [LOST[name]] : [state.code, LOST[name]]
  t.ok(allowed.includes(code), `${title}: the other side hears ${code}`)
  if (state.name === 'after messages') t.equal(frames.length, 3, `${title}: with the messages before it`)
}

/** Frames up to the end of the wire; a Close is answered; 'cut' if it ends within a frame. */
async function readToTheEnd(peer: RawPeer): Promise<WireFrame[] | 'cut'> {
  const frames: WireFrame[] = []
  try {
    for (let frame = await peer.nextFrame(); frame !== undefined; frame = await peer.nextFrame()) {
      frames.push(frame)
      if (frame.opcode !== CLOSE) continue
      peer.send(CLOSE, frame.payload)
      peer.end()
    }
  } catch {
    return 'cut'
  }
  peer.end()
  return frames
}

t.test('a side leaves while it is dialled, or before', async t => {
  const goings: [string, (asked: ReturnType<typeof ask>) => void][] = [
    ['the client is reset', ({ client }) => client.reset()],
    ['the client ends', ({ client }) => client.end()],
    ['the client is destroyed', ({ ws }) => void ws.destroy()],
    ['the target is destroyed', ({ relay }) => void relay.target?.destroy()],
    ['the relay is destroyed', ({ relay }) => relay.destroy()],
    ['the relay is closed', ({ relay }) => relay.close()]
  ]
  for (const turns of [0, 1, 2, 4, 8]) {
    for (const [name, go] of goings) {
      const asked = ask(t, { server: { closeTimeout: 50, handshakeTimeout: 100 } })
      await settle(turns)
      go(asked)
      await settle()
      asked.client.end()
      t.ok(await within(2000, asked.relay.closed), `${name} after ${turns} turns`)
      await t.rejects(asked.relay.opened)
    }
  }
})

t.test('a target that never answers the handshake does not outlive its client', async t => {
  const asked = ask(t)
  const { peer } = (await asked.calls.take())!
  asked.client.reset()
  await peer.ended()
  t.ok(await within(1000, asked.relay.closed))
})

t.test('a transform or a hook that throws ends both with 1011', async t => {
  const bad = (): never => {
    throw new Error('mistaken')
  }
  const breaking = (): Duplex =>
    new Duplex({ read() {}, write: (_chunk, _encoding, callback) => callback(new Error('mistaken')) })
  const cases: [string, RelayOptions][] = [
    ['onMessage', { onMessage: bad }],
    ['onMessage, later', { onMessage: () => settle().then(bad) }],
    ['transform', { transform: { fromClient: bad } }],
    ['what transform made', { transform: { fromClient: breaking } }]
  ]
  for (const [name, options] of cases) {
    t.test(name, async t => {
      const { client, target, relay } = await open(t, { options })
      client.text('something')
      t.equal((await client.answerClose()).code, 1011)
      t.equal((await target.answerClose()).code, 1011)
      t.ok(await within(1000, relay.closed))
    })
  }
})

t.test('no exception was thrown', async t => {
  await settle()
  t.strictSame(troubles, [])
})
