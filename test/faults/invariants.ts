// Checks the record of a run; returns the rules that it broke, as sentences.

import type { Message } from '../../lib/index.js'
import { readCloseBody } from '../../lib/protocol/close-code.js'
import { CLOSE, type ReadFrame, readWire } from '../support/frames.js'
import type { Application } from './application.js'
import type { VirtualClock } from './clock.js'
import type { Scenario } from './scenario.js'
import type { Transport } from './transport.js'

export interface Outcome {
  readonly scenario: Scenario
  readonly transport: Transport
  /** The client and the server. */
  readonly applications: readonly [Application, Application]
  readonly clock: VirtualClock
  /** The time when both sides had ended. */
  readonly overAt: number
  readonly isOver: boolean
  readonly uncaught: readonly unknown[]
}

type Complain = (what: string) => void

export function violations(outcome: Outcome): string[] {
  const found: string[] = []
  const { applications, transport, clock, isOver, uncaught } = outcome
  for (const error of uncaught) found.push(`uncaught: ${error instanceof Error ? error.stack : String(error)}`)
  if (!isOver) {
    found.push(`does not end: ${applications.map(({ name, ws }) => `${name} is ${ws.readyState}`).join(', ')}`)
    return found
  }
  if (clock.timers.size > 0) found.push(`${clock.timers.size} timers are left`)
  // two sides that ping each other over a full wire continue when their patience has run out
  const patience = applications.some(({ pings }) => pings >= 2) ? 1000 : 0
  if (!isDisturbed(outcome) && outcome.overAt > patience) {
    found.push(`nothing went wrong, and it took ${outcome.overAt} ms`)
  }
  applications.forEach((application, i) => {
    const complain: Complain = what => found.push(`${application.name}: ${what}`)
    const peer = applications[1 - i]!
    const sent = controlsIn(Buffer.concat(transport.directions[i]!.sent))
    const arrived = controlsIn(Buffer.concat(transport.directions[1 - i]!.delivered))
    checkEvents(application, complain)
    checkClose(outcome, application, peer, sent, arrived, complain)
    checkMessages(outcome, application, peer, complain)
    checkRemains(outcome, i, complain)
  })
  return found
}

const HEAD_END = Buffer.from('\r\n\r\n')

/** The control frames after a head, as far as they are complete. */
function controlsIn(bytes: Buffer): ReadFrame[] {
  const frames: ReadFrame[] = []
  const head = bytes.indexOf(HEAD_END)
  for (let at = head < 0 ? bytes.length : head + HEAD_END.length; at + 2 <= bytes.length; ) {
    const second = bytes[at + 1]!
    const short = second & 127
    const extended = short === 127 ? 8 : short === 126 ? 2 : 0
    if (at + 2 + extended > bytes.length) break
    const length = extended === 0 ? short : bytes.readUIntBE(at + 2 + (extended === 8 ? 2 : 0), extended === 8 ? 6 : 2)
    const end = at + 2 + extended + (second >= 128 ? 4 : 0) + length
    if (end > bytes.length) break
    if ((bytes[at]! & 8) !== 0) frames.push(...readWire(bytes.subarray(at, end)))
    at = end
  }
  return frames
}

function checkEvents(
  { closes, resolved, late, ws, handshake, opens, pings, settledPings, sent, errors }: Application,
  complain: Complain
): void {
  if (closes.length !== 1) complain(`${closes.length} close events`)
  if (resolved.length !== 1 || resolved[0] !== closes[0]) complain('closed does not resolve with what the event says')
  if (late.length > 0) complain(`after the close event: ${late.join(', ')}`)
  if (ws.readyState !== 'closed') complain(`${ws.readyState} after its close event`)
  if (handshake === 'pending') complain('opened is never settled')
  if (opens !== (handshake === 'opened' ? 1 : 0)) complain(`${opens} open events, and the handshake ${handshake}`)
  if (settledPings !== pings) complain(`${pings} pings, of which ${settledPings} are settled`)
  const open = sent.filter(({ callbacks }) => callbacks !== 1)
  if (open.length > 0) complain(`${open.length} of ${sent.length} writes are called back ${open[0]!.callbacks} times`)
  if (errors.length > 1) complain(`${errors.length} errors`)
}

/** Whether anything has happened that can keep a connection from ending cleanly. */
function isDisturbed({ scenario, transport, applications }: Outcome): boolean {
  return (
    scenario.faults.some((fault, i) => fault !== null && (fault.after === 0 || transport.directions[i]!.hasFailed)) ||
    applications.some(({ hasDestroyed, plan }) => hasDestroyed || plan.reader === 'nobody')
  )
}

function checkClose(
  outcome: Outcome,
  application: Application,
  peer: Application,
  sent: readonly ReadFrame[],
  arrived: readonly ReadFrame[],
  complain: Complain
): void {
  const { code, wasClean, initiator } = application.closes[0]!
  const close = arrived.find(frame => frame.opcode === CLOSE)
  if (wasClean) {
    if (close === undefined) complain('a clean end, and no Close came')
    else if (readCloseBody(close.payload).code !== code) complain(`closed with ${code}, which is not what came`)
    // a side that gave up the wire may have done so before our answer arrived
    const isAnswered = peer.errors.length > 0 || sent.some(frame => frame.opcode === CLOSE)
    if (!isAnswered) complain('a clean end, and its own Close never left')
    if (application.errors.length > 0) complain(`a clean end, and an error: ${application.errors[0]}`)
  } else {
    // the close event has the code of the peer's Close, whether or not ours has been sent
    const expected = close === undefined ? 1006 : readCloseBody(close.payload).code
    if (code !== 1006 && code !== expected) complain(`an end that was not clean, with ${code}`)
    if (!isDisturbed(outcome)) complain('1006, though nothing went wrong')
  }
  // only one of them wanted it
  if (isDisturbed(outcome)) return
  if (application.hasEnded && !peer.hasEnded && initiator !== 'local') complain('it was this side that began')
  if (!application.hasEnded && peer.hasEnded && initiator !== 'peer') complain('it was the peer that began')
}

const same = (one: Message, two: Message | undefined): boolean =>
  typeof one === 'string' ? one === two : typeof two === 'object' && one.equals(two)

function checkMessages(outcome: Outcome, application: Application, peer: Application, complain: Complain): void {
  const { received, hasStoppedReading } = application
  const wrong = received.findIndex((message, i) => !same(message, peer.sent[i]?.message))
  if (wrong >= 0) complain(`message ${wrong} of ${received.length} is not what was sent`)
  const bothClean = outcome.applications.every(({ closes }) => closes[0]!.wasClean)
  if (!bothClean || hasStoppedReading) return
  const last = peer.sent.findLastIndex(({ taken }) => taken)
  if (received.length <= last) complain(`${received.length} messages of at least ${last + 1} that were taken`)
}

const WATCHED = ['data', 'end', 'close', 'drain', 'readable', 'finish', 'pause', 'resume']

function checkRemains({ scenario, transport, applications }: Outcome, i: number, complain: Complain): void {
  const end = transport.ends[i]!
  const { ws, closes } = applications[i]!
  if (closes[0]!.wasClean && ws.bufferedAmount > 0) complain(`${ws.bufferedAmount} bytes are left`)
  if (scenario.joins[i] !== 'attach') return
  for (const event of WATCHED) {
    const count = end.listenerCount(event)
    // Node's own listener, for allowHalfOpen
    const own = event === 'end' && !scenario.allowHalfOpen ? 1 : 0
    if (count > own) complain(`${count} listeners of '${event}' are left`)
  }
}
