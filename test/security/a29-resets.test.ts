// A29: the socket is reset in every state. One close event; messages that had arrived are delivered; nothing is left behind.

import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import t, { type Test } from 'tap'
import type { CloseInfo, WebSocketStream } from '../../lib/index.js'
import { answerHead, BINARY, PING, type RawPeer, TEXT } from '../support/raw-peer.js'
import { collect, fresh, settle, shake } from '../websocket-stream/sides.js'
import { meet, requestWith, turn } from './support.js'

interface Side {
  ws: WebSocketStream
  peer: RawPeer
  closes: CloseInfo[]
  wire: Duplex
}

type State = (side: Side) => void | Promise<void>

/** Before the handshake is done: halves of a server's and of a client's. */
const EARLY: Record<'server' | 'client', [name: string, state: State][]> = {
  server: [
    ['before a byte', () => {}],
    ['in the request', ({ peer }) => void peer.write(requestWith().subarray(0, 60))],
    [
      'while the request is looked at',
      async ({ ws, peer }) => {
        ws.on('request', () => {})
        peer.write(requestWith())
        await once(ws, 'request')
      }
    ]
  ],
  client: [
    ['before a byte', () => {}],
    ['before the response', async ({ peer }) => void (await peer.head())],
    [
      'in the response',
      async ({ peer }) => {
        peer.write(answerHead(await peer.head()).subarray(0, 60))
        await settle()
      }
    ],
    [
      'in the body of a refusal',
      async ({ peer }) => {
        await peer.head()
        peer.write(Buffer.from('HTTP/1.1 403 No\r\nContent-Length: 100\r\n\r\nabc'))
        await settle()
      }
    ]
  ]
} // prettier-ignore

const OPEN: [name: string, state: State, got: unknown[]][] = [
  ['idle', () => {}, []],
  ['in a header', ({ peer }) => void peer.write(peer.frame(TEXT, 'a').subarray(0, 1)), []],
  [
    'in a frame',
    ({ peer }) => {
      peer.text('whole')
      peer.write(peer.frame(BINARY, Buffer.alloc(1000)).subarray(0, 500))
    },
    ['whole']
  ],
  [
    'between fragments',
    ({ peer }) => {
      peer.text('whole')
      peer.send(TEXT, 'half', { fin: false })
    },
    ['whole']
  ],
  [
    'while we send',
    async ({ ws, peer }) => {
      peer.text('whole')
      peer.stream.pause()
      for (let i = 0; i < 200; i++) ws.binary(Buffer.alloc(10_000))
      await turn()
    },
    ['whole']
  ],
  [
    'while a ping is under way',
    ({ ws, peer }) => {
      ws.ping()
      peer.send(PING)
    },
    []
  ],
  [
    'behind our Close',
    ({ ws, peer }) => {
      peer.text('whole')
      ws.close()
    },
    ['whole']
  ]
] // prettier-ignore

async function ends(t: Test, { ws, closes, wire }: Side): Promise<void> {
  const info = await ws.whenClosed()
  t.match(info, { code: 1006, wasClean: false })
  await settle()
  t.equal(closes.length, 1)
  t.equal(ws.readyState, 'closed')
  t.ok(wire.destroyed)
  t.same(process.getActiveResourcesInfo().filter(name => name === 'Timeout').length, 0, 'no timer is left')
}

for (const join of ['attach', 'pipe'] as const) {
  for (const role of ['server', 'client'] as const) {
    for (const [name, state] of EARLY[role]) {
      t.test(`${role}, ${join}: ${name}`, async t => {
        const { ws, peer, closes, socket } = await fresh(t, { role, join, wire: 'tcp' })
        const failed = ws.opened.then(
          () => 'opened',
          error => error.name
        )
        await state({ ws, peer, closes, wire: socket })
        await settle()
        peer.reset()
        t.equal(await failed, 'HandshakeError')
        await ends(t, { ws, peer, closes, wire: socket })
      })
    }

    for (const [name, state, expected] of OPEN) {
      t.test(`${role}, ${join}: ${name}`, async t => {
        const { ws, peer, closes, socket } = await fresh(t, { role, join, wire: 'tcp' })
        await shake(peer, role)
        await ws.opened
        const reading = collect(ws.messages)
        await state({ ws, peer, closes, wire: socket })
        await settle(20)
        peer.reset()
        await ends(t, { ws, peer, closes, wire: socket })
        const { got } = await reading
        t.same(got, expected)
      })
    }
  }
}

for (const [name, state, expected] of OPEN) {
  for (const how of ['the stream', 'the session'] as const) {
    t.test(`http2: ${how} is reset, ${name}`, async t => {
      const { ws, peer, closes, wire } = await meet(t, 'http2', {}, { reads: false })
      const reading = collect(ws.messages)
      await state({ ws, peer, closes, wire })
      await settle(20)
      const stream = peer.stream as Duplex & { close(code: number): void; session: { destroy(): void } }
      // RFC 8441 §5: CANCEL corresponds to a reset on TCP
      if (how === 'the stream') stream.close(8)
      else stream.session.destroy()
      t.match(await ws.whenClosed(), { code: 1006, wasClean: false })
      await settle()
      t.equal(closes.length, 1)
      t.same((await reading).got, expected)
    })
  }
}

t.test('messages that had arrived wait for a slow reader', async t => {
  for (const role of ['server', 'client'] as const) {
    const { ws, peer } = await fresh(t, { role, join: 'attach', wire: 'tcp' })
    await shake(peer, role)
    await ws.opened
    for (const text of ['one', 'two', 'three']) peer.text(text)
    await settle(20)
    peer.reset()
    await settle(20)
    t.same((await collect(ws.messages)).got, ['one', 'two', 'three'])
  }
})
