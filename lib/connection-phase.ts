// The phases of a connection and the steps between them (RFC 6455 §5.5.1, §7.1), as tables. Imports nothing.

/** The state of a connection: `'connecting'` until the handshake is done, `'closing'` from the first Close on. */
export type ReadyState = 'connecting' | 'open' | 'closing' | 'closed'

/** How far a connection has come. */
export interface Phase {
  readonly name: 'connecting' | 'open' | 'ending' | 'close sent' | 'close received' | 'ended' | 'failed' | 'closed'
  readonly state: ReadyState
  /** Whether messages may be sent and Pings are answered. */
  readonly isSending: boolean
}

export const PHASES = {
  connecting: { name: 'connecting', state: 'connecting', isSending: true },
  open: { name: 'open', state: 'open', isSending: true },
  // our Close waits for messages that the wire has not taken
  ending: { name: 'ending', state: 'closing', isSending: true },
  // the peer has not sent its Close, and may send messages before it (§5.5.1)
  closeSent: { name: 'close sent', state: 'closing', isSending: false },
  // the application has yet to answer the peer's Close, and may send messages before its answer
  closeReceived: { name: 'close received', state: 'closing', isSending: true },
  // nothing more is sent: the wire is about to end
  ended: { name: 'ended', state: 'closing', isSending: false },
  failed: { name: 'failed', state: 'closing', isSending: false },
  closed: { name: 'closed', state: 'closed', isSending: false }
} as const satisfies Record<string, Phase>

export type Step =
  | 'handshake done'
  | 'close asked for'
  | 'close sent'
  | 'close received'
  | 'no answer'
  | 'failed'
  | 'over'

/** The next phase for each step; a phase not listed stays as it is. `failed` and `over` apply in every phase but the last. */
const STEPS: Readonly<Record<Step, { readonly [Name in Phase['name']]?: Phase }>> = {
  'handshake done': { connecting: PHASES.open },
  'close asked for': { open: PHASES.ending },
  'close sent': { open: PHASES.closeSent, ending: PHASES.closeSent, 'close received': PHASES.ended },
  'close received': { open: PHASES.closeReceived, ending: PHASES.closeReceived, 'close sent': PHASES.ended },
  // the peer's Close can no longer be answered: the wire is gone, or this side has ended it
  'no answer': { 'close received': PHASES.ended },
  failed: Object.fromEntries(
    Object.values(PHASES)
      .filter(({ name }) => name !== 'closed')
      .map(({ name }) => [name, PHASES.failed])
  ),
  over: Object.fromEntries(Object.values(PHASES).map(({ name }) => [name, PHASES.closed]))
}

/** The phase after a step. */
export function after(phase: Phase, step: Step): Phase {
  return STEPS[step][phase.name] ?? phase
}
