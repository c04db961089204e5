// The conversations to run, and what both sides must have seen of each.

import type { Test } from 'tap'
import { BURST, CLOSE_CODE, CLOSE_REASON, type Plan, PROTOCOL, type Report } from './converse.js'
import { type OurReport, WRITES_PIECES } from './our-side.js'
import { SCRIPT } from './script.js'

/** The longest message of the script. */
export const ALL = Math.max(...SCRIPT.map(({ data }) => data.length))
/** Omits messages longer than 64 KiB. */
export const SMALL = 65536

const SIDES = ['us', 'peer'] as const

/** Each side sends the script once, and each side closes once. */
export function plansUpTo(most: number): Plan[] {
  return SIDES.flatMap(player => SIDES.map(closer => ({ player, closer, most })))
}

export function describe({ player, closer, most }: Plan): string {
  const who = (side: Plan['player']) => (side === 'us' ? 'we' : 'they')
  return `${who(player)} send${most < ALL ? '' : ' all'}, ${who(closer)} close`
}

/** The features of a peer beside sending and receiving. */
export interface Abilities {
  pings: boolean
  pieces: boolean
  /** Answers a Close frame with its reason, and not only with its code; RFC 6455 §5.5.1 allows both. */
  repeatsReason: boolean
}

export const FULL: Abilities = { pings: true, pieces: true, repeatsReason: true }

/** Checks that all messages came through unchanged, all pings were answered, and both sides saw the same ending. */
export function agree(t: Test, plan: Plan, ours: OurReport, theirs: Report, peer: Abilities = FULL): void {
  const upTo = (most: number) => SCRIPT.filter(({ data }) => data.length <= most).length
  const messages = upTo(plan.most)
  const inPieces = (plan.player === 'us' ? WRITES_PIECES : peer.pieces) ? messages : 0
  const shared = {
    protocol: PROTOCOL,
    echoed: messages + inPieces + upTo(BURST),
    code: CLOSE_CODE,
    reason: CLOSE_REASON,
    faults: []
  }
  const ponged = (side: Plan['player'], able: boolean) => (able ? 2 + (plan.player === side ? inPieces : 0) : 0)

  // RFC 6455 §7.1.6: the reason in the other side's frame
  const reason = plan.closer === 'peer' || peer.repeatsReason ? CLOSE_REASON : ''
  t.match(ours, { ...shared, reason, ponged: ponged('us', true), wasClean: true }, 'our side')
  t.equal(ours.initiator, plan.closer === 'us' ? 'local' : 'peer', 'who began to close')
  t.match(theirs, { ...shared, ponged: ponged('peer', peer.pings) }, 'their side')
}
