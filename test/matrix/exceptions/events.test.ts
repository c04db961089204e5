// An exception of a listener or callback belongs to the application: it surfaces once, whatever the event, the state of the connection, the wire and
// the role; and the connection continues as if nothing had been thrown, or ends with one 'close' on each side.

import t, { type Test } from 'tap'
import type { WebSocketOptions } from '../../../lib/index.js'
import { settle, within } from '../../websocket-stream/sides.js'
import { whenClosed } from '../adapter.js'
import { otherRole, ROLES, type Role, type Wire, wireNamed } from '../wires.js'
import { Bomb, type Reader, type Record, Subject } from './subject.js'
import { Uncaught } from './uncaught.js'

t.setTimeout(300_000)

const WIRES = ['TCP, attach', 'TCP, pipe', 'HTTP/2, attach', 'in memory, attach', 'in memory, pipe'].map(wireNamed)
const OPTIONS: WebSocketOptions = { handshakeTimeout: 30_000, closeTimeout: 1000 }

type Ending = 'close' | 'peer closes' | 'reset' | 'refusal'

interface Case {
  event: string
  state?: 'connecting' | 'open' | 'closing' | 'any'
  reader?: Reader
  ending?: Ending
  role?: Role
  /** More data is sent than the wire takes. */
  floods?: true
}

const NOTHING = 'nothing'

const CASES: readonly Case[] = [
  // the reference for the others
  ...(['event', 'data', 'readable', 'streams', 'frames'] as const).map((reader): Case => ({ event: NOTHING, reader })),
  { event: 'request, undecided', state: 'connecting', role: 'server' },
  { event: 'request', role: 'server' },
  { event: 'open', state: 'open' },
  { event: 'opened' },
  { event: 'message', state: 'open' },
  { event: 'message', state: 'closing' },
  { event: 'ping', state: 'open' },
  { event: 'ping', state: 'closing' },
  { event: 'pong', state: 'open' },
  { event: 'pong', state: 'closing' },
  { event: 'error', ending: 'reset' },
  { event: 'error', ending: 'refusal', role: 'client' },
  { event: 'close', ending: 'close' },
  { event: 'close', ending: 'peer closes' },
  { event: 'close', ending: 'reset' },
  { event: 'close', ending: 'refusal', role: 'client' },
  { event: 'data', state: 'open', reader: 'data' },
  { event: 'data', state: 'closing', reader: 'data' },
  { event: 'readable', state: 'open', reader: 'readable' },
  { event: 'readable', state: 'closing', reader: 'readable' },
  { event: 'streams data', state: 'open', reader: 'streams' },
  { event: 'streams data', state: 'closing', reader: 'streams' },
  { event: 'data of a stream', state: 'open', reader: 'streams' },
  { event: 'end of a stream', state: 'open', reader: 'streams' },
  { event: 'frames data', state: 'open', reader: 'frames' },
  { event: 'frames data', state: 'closing', reader: 'frames' },
  { event: 'frames data of a control frame', reader: 'frames' },
  ...(['data', 'streams', 'frames'] as const).flatMap((reader): Case[] => [
    { event: 'end of the view', reader },
    { event: 'finish of the view', reader },
    { event: 'close of the view', reader },
    { event: 'end of the view', reader, ending: 'peer closes' },
    { event: 'error of the view', reader, ending: 'reset' }
  ]),
  { event: 'drain of the view', reader: 'data', floods: true },
  { event: 'write callback', reader: 'data' },
  { event: 'write callback', reader: 'frames' },
  { event: 'createMessage callback' },
  { event: 'createMessage end callback' },
  { event: 'ping answered' },
  { event: 'ping given up', ending: 'reset' }
]

interface Outcome {
  bomb: Bomb
  /** The events of the first messages, before anything else was sent. */
  early: string[]
  /** Whether the connection was still open when the test ended it. */
  wentOn: boolean
  uncaught: unknown[]
  subject: Record
  peer: Record
}

/** One conversation, in which the side with this role may throw. */
async function converse(t: Test, wire: Wire, role: Role, { event, state = 'any', ...more }: Case): Promise<Outcome> {
  const { reader = 'event', ending = 'close', floods } = more
  const bomb = new Bomb(event, state)
  const harmless = new Bomb('', '')
  const subjects: { [R in Role]?: Subject } = {}
  const uncaught = new Uncaught()
  uncaught.start()
  t.teardown(() => uncaught.stop())
  const { client, server, ends } = await wire.meet(t, {
    client: OPTIONS,
    server: OPTIONS,
    prepare(ws, side) {
      if (side === role) subjects[side] = new Subject(ws, bomb, reader, event)
      else subjects[side] = new Subject(ws, harmless, 'event', '')
      if (ending === 'refusal' && side === 'server') ws.reject(403)
    }
  })
  const subject = subjects[role]!
  const peer = subjects[otherRole(role)]!
  const over = Promise.all([whenClosed(client), whenClosed(server)])
  await Promise.race([Promise.all([client.opened, server.opened]).catch(() => {}), over, within(2000, over)])

  speakInOneChunk(peer, ['m0', 'm1', 'm2'])
  await rounds(wire)
  const early = [...subject.record.got]
  if (floods) subject.flood()
  subject.speak()
  await rounds(wire)
  speakInOneChunk(peer, ['m3', 'm4'])
  await rounds(wire)
  // messages that cross our Close arrive while this side is closing
  const wentOn = subject.record.closes.length === 0 && subject.ws.readyState === 'open'
  subject.ping()
  speakInOneChunk(peer, ['m5', 'm6'])
  const { ws } = ending === 'peer closes' ? peer : subject
  if (ending === 'reset') (ends.client ?? ends.server).destroy(new Error('reset'))
  else if (reader === 'event' || ws !== subject.ws) ws.close(1000)
  else ws[reader === 'streams' || reader === 'frames' ? reader : 'messages'].end()
  await within(20_000, over)
  await settle(10)
  uncaught.stop()
  return { bomb, early, wentOn, uncaught: uncaught.errors, subject: subject.record, peer: peer.record }
}

function speakInOneChunk(peer: Subject, messages: string[]): void {
  const [first, ...rest] = messages
  peer.ws.text(first!)
  peer.ping()
  for (const message of rest) peer.ws.text(message)
}

/** Waits until data in flight has arrived. */
const rounds = ({ name }: Wire): Promise<void> => settle(name.startsWith('in memory') ? 10 : 50)

const MESSAGES = ['m0', 'm1', 'm2', 'm3', 'm4', 'm5', 'm6']

function check(
  t: Test,
  { event, ending = 'close' }: Case,
  { bomb, early, wentOn, uncaught, subject, peer }: Outcome
): void {
  const times = event === NOTHING ? 0 : 1
  t.equal(bomb.thrown, times, 'it was thrown')
  t.equal(uncaught.filter(error => error === bomb.error).length, times, 'it surfaces once')
  t.same(
    uncaught.filter(error => error !== bomb.error).map(error => (error as Error)?.stack ?? error),
    [],
    'nothing else does'
  )
  for (const [side, { closes, resolved, pinged }] of Object.entries({ subject, peer })) {
    t.equal(closes.length, 1, `the ${side} has one close event`)
    t.equal(resolved, 1, `the ${side}'s promise of the end resolves`)
    t.equal(pinged.answered + pinged.given, pinged.sent, `the ${side}'s pings are settled`)
  }
  t.same(subject.got, MESSAGES.slice(0, subject.got.length), 'messages come in order')
  if (ending === 'reset' || ending === 'refusal' || !wentOn) return
  // the data that continues to flow is the same in every case
  t.same(early, MESSAGES.slice(0, 3), 'what came in one chunk needs nothing else to come')
  t.same([subject.closes[0]?.code, peer.closes[0]?.code], [1000, 1000], 'the closing handshake is done')
  t.same(subject.got, MESSAGES, 'none is lost')
  const texts = peer.got.filter(text => text.length < 1000)
  t.same(texts, ['r0', 'r1', 'r2r3', 'r4'], 'nor of those to the peer')
  // Pings that cross our Close are not answered (RFC 6455 §5.5.2)
  t.ok(peer.pinged.answered >= 2, `the peer's pings are answered: ${peer.pinged.answered}`)
}

const nameOf = ({ event, state = 'any', reader = 'event', ending = 'close' }: Case): string =>
  `${event}${state === 'any' ? '' : ` while ${state}`}, reading by ${reader}, ended by ${ending}`

for (const wire of WIRES) {
  t.test(wire.name, async t => {
    for (const role of ROLES) {
      for (const each of CASES) {
        if (each.role !== undefined && each.role !== role) continue
        const name = `a ${role} throws in ${nameOf(each)}`
        await t.test(name, { timeout: 60_000 }, async t => check(t, each, await converse(t, wire, role, each)))
      }
    }
  })
}
