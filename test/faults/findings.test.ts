// Bugs that the runs of this folder have found, each as a small test.

import t, { type Test } from 'tap'
import { WebSocketStream } from '../../lib/index.js'
import { pair } from '../support/pair.js'
import { TEXT } from '../support/raw-peer.js'
import { IN_MEMORY, joinTo, nameOf, open, type Setup, type Side, tcpPair } from '../websocket-stream/sides.js'

const nextTurn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

/** Runs turns of the event loop until `done` returns true; false if that takes too many. */
async function within(turns: number, done: () => boolean): Promise<boolean> {
  while (turns-- > 0 && !done()) await nextTurn()
  return done()
}

/** Whether a connection ends within a second, far more than the closeTimeout of these tests. */
async function endsSoon(t: Test, { ws }: Side): Promise<boolean> {
  const patience = new Promise<'waits'>(resolve => {
    const timer = setTimeout(() => resolve('waits'), 20_000)
    t.teardown(() => clearTimeout(timer))
  })
  return (await Promise.race([ws.whenClosed(), patience])) !== 'waits'
}

t.test('two sides that send to each other and ping do not deadlock', async t => {
  const ends = await tcpPair(t, true)
  const sides = [WebSocketStream.client('ws://a/'), WebSocketStream.server()]
  const received = [0, 0]
  // more than a socket buffers
  const MESSAGES = 200
  sides.forEach((ws, i) => {
    ws.attach(ends[i]!)
    t.teardown(() => ws.destroy())
    ws.on('message', () => received[i]!++)
    ws.on('open', () => {
      for (let sent = 0; sent < MESSAGES; sent++) {
        ws.binary(Buffer.alloc(100_000))
        void ws.ping()
      }
    })
  })
  const all = (): boolean => received.every(count => count === MESSAGES)
  // if each waited for the other, this would too
  while (!all()) await new Promise(resolve => setTimeout(resolve, 10))
  t.same(received, [MESSAGES, MESSAGES])
})

for (const join of ['attach', 'pipe'] as const) {
  t.test(`a Close that has arrived counts, even if its reader is slow and has closed too: ${join}`, async t => {
    // a socket with Node's default, which ends when the peer does
    const [socket, theirs] = await tcpPair(t, true)
    const peer = WebSocketStream.server()
    peer.attach(theirs)
    const ws = WebSocketStream.client('ws://a/')
    joinTo(ws, socket, join)
    await peer.opened
    for (let i = 0; i < 20; i++) peer.text(String(i))
    peer.close(3000)
    let read = 0
    for await (const _ of ws.messages) {
      if (++read === 2) ws.close(3001)
      for (let i = 0; i < 10; i++) await nextTurn()
      if (read === 20) break
    }
    t.equal(read, 20)
    t.match(await ws.whenClosed(), { code: 3000, wasClean: true })
    t.match(await peer.whenClosed(), { wasClean: true })
  })
}

for (const setup of IN_MEMORY) {
  for (const [says, leave] of [
    ['destroys the view it asks for', (ws: WebSocketStream) => ws.messages.destroy()],
    [
      'closes, and asks for the view then',
      (ws: WebSocketStream) => {
        ws.close()
        ws.messages.resume()
      }
    ]
  ] as const) {
    t.test(
      `a message whose first fragment was not read is not the peer's fault: application that ${says}: ${nameOf(setup)}`,
      async t => {
        const { ws, peer } = await open(t, setup)
        peer.write(peer.frame(TEXT, 'whole'), peer.frame(TEXT, 'first', { fin: false }))
        await within(10, () => false)
        leave(ws)
        peer.send(0, 'second')
        await within(10, () => false)
        await peer.answerClose()
        t.match(await ws.whenClosed(), { code: 1000, wasClean: true })
      }
    )
  }

  t.test(`an end is not clean if our own Close was never sent: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup, { closeTimeout: 50 })
    peer.stream.pause()
    // more than the wire buffers
    for (let i = 0; i < 20; i++) ws.binary(Buffer.alloc(100_000))
    await within(20, () => false)
    peer.close(3000)
    const info = await ws.whenClosed()
    t.equal(info.wasClean, false, 'messages and the Close behind them were lost')
  })

  t.test(`a close after messages.end() that the wire does not take has a time limit: ${nameOf(setup)}`, async t => {
    const side = await open(t, setup, { closeTimeout: 50 })
    stall(side)
    side.ws.messages.end()
    side.ws.close()
    t.ok(await endsSoon(t, side), 'closeTimeout ends it')
  })

  t.test(`a messages view that is only written to does not delay 'message' listeners: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    const got: unknown[] = []
    ws.on('message', message => got.push(message))
    ws.messages.write('hello')
    for (let i = 0; i < 10; i++) peer.text(String(i))
    t.ok(await within(20_000, () => got.length === 10), `${got.length} of 10 messages`)
  })
}

/** Writes more than the wire buffers, so that messages wait in the view. */
function stall({ ws, peer }: Side): void {
  peer.stream.pause()
  for (let i = 0; i < 20; i++) ws.messages.write(Buffer.alloc(100_000))
}

for (const role of ['server', 'client'] as const) {
  const setup: Setup = { role, join: 'attach', wire: 'memory' }

  t.test(`a close requested before the handshake has a time limit: ${nameOf(setup)}`, async t => {
    const ends = pair()
    const [ours, theirs] = [make(role), make(role === 'client' ? 'server' : 'client')]
    t.teardown(() => [ours, theirs].map(ws => ws.destroy()))
    for (let i = 0; i < 20; i++) ours.messages.write(Buffer.alloc(100_000))
    ours.close()
    ours.attach(ends[0])
    // its messages are not read, so it stops reading the wire
    theirs.attach(ends[1])
    t.ok(await endsSoon(t, { ws: ours } as Side), 'closeTimeout ends it')
  })

  t.test(`an attached stream keeps no listeners, even if it is blocked: ${nameOf(setup)}`, async t => {
    const { ws, peer, socket } = await open(t, setup)
    peer.stream.pause()
    for (let i = 0; i < 20; i++) ws.binary(Buffer.alloc(100_000))
    await within(20, () => false)
    ws.destroy()
    await ws.whenClosed()
    await nextTurn()
    t.same(
      ['data', 'end', 'close', 'drain'].filter(event => socket.listenerCount(event) > 0),
      []
    )
  })
}

function make(role: 'server' | 'client'): WebSocketStream {
  return role === 'server'
    ? WebSocketStream.server({ closeTimeout: 50 })
    : WebSocketStream.client('ws://a/', { closeTimeout: 50 })
}
