// Frames that arrive with the handshake, in one chunk or as the `head` of a request that Node has parsed: a listener that throws there
// has the same effect as at any other time.

import t, { type Test } from 'tap'
import { WebSocketStream } from '../../../lib/index.js'
import { answerHead, CLOSE, PING, PONG, RawPeer, requestHead, TEXT, type WireFrame } from '../../support/raw-peer.js'
import { joinTo, parsedRequest, wireOf, within } from '../../websocket-stream/sides.js'
import { whenClosed } from '../adapter.js'
import { Bomb, Subject } from './subject.js'
import { Uncaught } from './uncaught.js'

t.setTimeout(120_000)

const OPTIONS = { handshakeTimeout: 1000, closeTimeout: 1000 }
const WAYS = ['http', 'server', 'client'] as const
// the first is the reference for the others
const EVENTS = ['nothing', 'request', 'open', 'message', 'ping'] as const

type Way = (typeof WAYS)[number]

/** The bytes of two messages with a Ping between them, as the peer sends them. */
const frames = (peer: RawPeer, first: string, second: string): Buffer =>
  Buffer.concat([peer.frame(TEXT, first), peer.frame(PING, first), peer.frame(TEXT, second)])

async function exercise(
  t: Test,
  way: Way,
  join: 'attach' | 'pipe',
  wire: 'memory' | 'tcp',
  event: (typeof EVENTS)[number]
): Promise<void> {
  const [ours, theirs] = await wireOf(t, { role: way, join, wire })
  ours.on('error', () => {})
  const peer = new RawPeer(theirs, way === 'client' ? 'server' : 'client')
  const early = frames(peer, 'm0', 'm1')
  const uncaught = new Uncaught()
  uncaught.start()
  t.teardown(() => uncaught.stop())
  const ws =
    way === 'client'
      ? WebSocketStream.client('ws://localhost/', OPTIONS)
      : way === 'server'
        ? WebSocketStream.server(OPTIONS)
        : WebSocketStream.http(parsedRequest(), early, OPTIONS)
  t.teardown(() => ws.destroy())
  const bomb = new Bomb(event, 'any')
  const { record } = new Subject(ws, bomb, 'event', event)
  joinTo(ws, ours, join)
  if (way === 'server') write(peer, requestHead(), early)
  const head = await soon(peer.head())
  if (way === 'client') write(peer, answerHead(head!), early)
  const pongs = [await soon(nextOf(peer, PONG))]
  t.same(record.got, ['m0', 'm1'], 'what came with the handshake needs nothing else to come')
  write(peer, frames(peer, 'm2', 'm3'))
  pongs.push(await soon(nextOf(peer, PONG)))
  setImmediate(() => peer.close(1000))
  await soon(nextOf(peer, CLOSE))
  peer.end()
  const info = await soon(whenClosed(ws))
  uncaught.stop()
  t.equal(info?.code, 1000)
  t.same(uncaught.errors, event === 'nothing' ? [] : [bomb.error], 'it surfaces once')
  t.same(record.got, ['m0', 'm1', 'm2', 'm3'], 'none is lost')
  t.same(
    pongs.map(frame => frame?.payload.toString()),
    ['m0', 'm2'],
    'pings are answered'
  )
  t.equal(record.closes.length, 1, 'one close event')
}

/** In its own turn: over a wire in memory, an exception of a listener would come out of the write. */
function write(peer: RawPeer, ...parts: Buffer[]): void {
  setImmediate(() => peer.write(...parts))
}

/** Events that have not happened by then never will. */
const soon = <T>(promise: Promise<T>): Promise<T | undefined> => within(8000, promise)

async function nextOf(peer: RawPeer, opcode: number): Promise<WireFrame | undefined> {
  for (;;) {
    const frame = await peer.nextFrame()
    if (frame === undefined || frame.opcode === opcode) return frame
  }
}

for (const way of WAYS) {
  for (const join of ['attach', 'pipe'] as const) {
    for (const wire of ['memory', 'tcp'] as const) {
      for (const event of EVENTS) {
        if (way === 'client' && event === 'request') continue
        const name = `${way}, ${join}, ${wire}: '${event}' throws, and frames came with the handshake`
        t.test(name, { timeout: 60_000 }, t => exercise(t, way, join, wire, event))
      }
    }
  }
}
