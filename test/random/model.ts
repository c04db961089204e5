// What each side must have seen, derived from the actions of the other and from the bytes on the wire. Checks the record of a run; returns the
// rules that it broke, as sentences.

import type { Application, Sent } from './application.js'
import type { Scenario } from './choices.js'
import { OurApplication } from './ours.js'
import type { VirtualTime } from './virtual-time.js'
import type { Wire } from './wire.js'
import { type ArrivedFrame, closeCodeOf, framesIn } from './wire-frames.js'

export interface Outcome {
  readonly scenario: Scenario
  readonly wire: Wire
  /** The client and the server. */
  readonly applications: readonly [Application, Application]
  readonly clock: VirtualTime
  /** The virtual time when both sides had ended. */
  readonly overAt: number
  readonly isOver: boolean
  readonly uncaught: readonly unknown[]
}

/** Input of one side: what it has received, and what was still waiting when all was over. */
interface Arrived {
  readonly consumed: readonly ArrivedFrame[]
  readonly all: readonly ArrivedFrame[]
}

type Complain = (what: string) => void

/** Milliseconds after which two sides that ping each other over a full wire lose their patience. */
const PATIENCE = 1000

export function violations(outcome: Outcome): string[] {
  const found: string[] = []
  const { applications, wire, clock, isOver } = outcome
  checkExceptions(outcome, what => found.push(what))
  if (!isOver) {
    const states = applications.map(each => `the ${each.name} is ${each.isOver ? '' : 'not '}over`)
    return [...found, `it does not end: ${states.join(', ')}`]
  }
  if (clock.timers.size > 0) found.push(`${clock.timers.size} timers are left`)
  if (!isDisturbed(outcome) && outcome.overAt > PATIENCE)
    found.push(`nothing went wrong, and it took ${outcome.overAt} ms`)
  applications.forEach((application, i) => {
    const complain: Complain = what => found.push(`${application.name}: ${what}`)
    const peer = applications[1 - i]!
    const bytes = Buffer.concat(wire.directions[1 - i]!.delivered)
    const arrived = { consumed: framesIn(bytes.subarray(0, application.consumed)), all: framesIn(bytes) }
    const sent = framesIn(Buffer.concat(wire.directions[i]!.sent))
    checkMessages(application, peer, arrived, complain)
    if (!(application instanceof OurApplication)) return
    checkEvents(application, complain)
    checkClose(outcome, application, arrived, sent, complain)
    checkMemory(outcome, i, complain)
  })
  return found
}

/** Whether anything has happened that may keep a connection from ending cleanly; an exception of a listener must not. */
function isDisturbed({ scenario, wire, applications }: Outcome): boolean {
  return (
    scenario.faults.some((fault, i) => fault !== null && (fault.after === 0 || wire.directions[i]!.hasFailed)) ||
    applications.some(({ hasDestroyed, plan }) => hasDestroyed || plan.reader === 'nobody')
  )
}

function checkExceptions({ applications, uncaught }: Outcome, complain: Complain): void {
  const thrown = applications.flatMap(application => application.thrown)
  for (const error of thrown) {
    const times = uncaught.filter(other => other === error).length
    if (times !== 1) complain(`${error.message}: it surfaces ${times} times`)
  }
  for (const error of uncaught) {
    if (thrown.includes(error as Error)) continue
    complain(`uncaught: ${error instanceof Error ? error.stack : String(error)}`)
  }
}

function checkEvents(application: OurApplication, complain: Complain): void {
  const { closes, resolved, late, ws, handshake, opens, promises, sent, errors } = application
  if (closes.length !== 1) complain(`${closes.length} close events`)
  if (resolved.length !== 1) complain(`whenClosed() resolves ${resolved.length} times`)
  if (late.length > 0) complain(`after the close event: ${late.join(', ')}`)
  if (ws.readyState !== 'closed') complain(`${ws.readyState} after its close event`)
  if (handshake === 'pending') complain('opened is never settled')
  if (opens !== (handshake === 'opened' ? 1 : 0)) complain(`${opens} open events, and the handshake ${handshake}`)
  if (promises.settled !== promises.made) {
    complain(`of ${promises.made} promises of pings and drains ${promises.settled} are settled`)
  }
  const wrong = sent.find(({ wantsCallback, isWhole, callbacks }) => callbacks !== (wantsCallback && isWhole ? 1 : 0))
  if (wrong !== undefined) complain(`a write of ${wrong.text.length} is called back ${wrong.callbacks} times`)
  if (errors.length > 1) complain(`${errors.length} errors`)
}

function checkClose(
  outcome: Outcome,
  application: OurApplication,
  arrived: Arrived,
  sent: readonly ArrivedFrame[],
  complain: Complain
): void {
  const { code, wasClean } = application.closes[0]!
  const close = arrived.consumed.find(isClose)
  const unseen = arrived.all.find(isClose)
  // destroying the connection may overtake a Close that waits to be read
  const mayBeLost = close === undefined || application.hasDestroyed
  const expected = close ?? unseen
  const isRight = (mayBeLost && code === 1006) || (expected !== undefined && code === closeCodeOf(expected))
  if (!isRight)
    complain(`closed with ${code}, and what came is ${expected === undefined ? 'no Close' : closeCodeOf(expected)}`)
  if (wasClean && !sent.some(isClose)) complain('a clean end, and its own Close never left')
  // the error given to destroy() is reported unchanged
  if (wasClean && application.errors.length > 0 && !application.hasDestroyed)
    complain(`a clean end, and an error: ${application.errors[0]}`)
  if (!wasClean && !isDisturbed(outcome)) complain(`nothing went wrong, and it ended with ${code}, not clean`)
}

const isSame = (one: { kind: string; text: string }, two: Sent | undefined): boolean =>
  one.kind === two?.kind && one.text === two.text

function checkMessages(application: Application, peer: Application, arrived: Arrived, complain: Complain): void {
  const { received } = application
  const wrong = received.findIndex((message, i) => !isSame(message, peer.sent[i]))
  if (wrong >= 0) complain(`message ${wrong} of ${received.length} is not what was sent`)
  if (application.hasStoppedReading || application.opens === 0) return
  // ws reads the last chunks in a way that this model does not see
  if (application instanceof OurApplication) {
    const [least, most] = [messagesIn(arrived.consumed), messagesIn(arrived.all)]
    if (received.length < least || received.length > most) {
      complain(`${least} to ${most} messages came, and ${received.length} were received`)
    }
  }
  if (!arrived.consumed.some(isClose)) return
  // before the peer's Close, everything has arrived that the peer was told is sent
  const confirmed = peer.sent.findLastIndex(({ isConfirmed }) => isConfirmed)
  if (received.length <= confirmed) complain(`${received.length} messages of at least ${confirmed + 1} that were sent`)
}

const isClose = ({ opcode }: ArrivedFrame): boolean => opcode === 8

/** Whole messages; anything after a Close is not one (RFC 6455 §5.5.1). */
function messagesIn(frames: readonly ArrivedFrame[]): number {
  const end = frames.findIndex(isClose)
  return (end < 0 ? frames : frames.slice(0, end)).filter(({ opcode, fin }) => opcode < 8 && fin).length
}

const WATCHED = ['data', 'end', 'close', 'drain', 'readable', 'finish', 'pause', 'resume']

/** The memory of a wire must not be changed, and the wire keeps no listener of the library. */
function checkMemory({ scenario, wire }: Outcome, i: number, complain: Complain): void {
  const { chunks, delivered } = wire.directions[1 - i]!
  if (chunks.some((chunk, j) => !chunk.equals(delivered[j]!))) complain('it has changed the memory of a chunk')
  if (scenario.joins[i] !== 'attach') return
  for (const event of WATCHED) {
    // Node's own listener, for allowHalfOpen
    const own = event === 'end' && !scenario.allowHalfOpen ? 1 : 0
    const count = wire.ends[i]!.listenerCount(event)
    if (count > own) complain(`${count} listeners of '${event}' are left`)
  }
}
