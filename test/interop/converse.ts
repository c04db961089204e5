// What both sides of an interoperability test do, whatever their implementation: one sends the script and compares the
// echoes, the other echoes; both ping; one of them closes. Knows neither Node nor a WebSocket: a page runs it too.

import type { ScriptMessage } from './script.js'

export type Message = string | Uint8Array

/** One end of an open connection. */
export interface Talker {
  readonly protocol: string
  send(message: Message): unknown
  /** Sends one message in pieces, with a call of `between` after the first; absent if there is no way to do so. */
  sendPieces?(kind: 'text' | 'binary', pieces: Uint8Array[], between: () => void): unknown
  /** The next message; `undefined` once there are no more. */
  receive(): Promise<Message | undefined>
  /** Resolves when the pong with this payload has arrived; absent if there is no way to ping. */
  ping?(payload: string): Promise<unknown>
  close(code: number, reason: string): void
  readonly closed: Promise<{ code: number; reason: string }>
}

export interface Plan {
  /** The side that sends the script; the other one echoes. `peer` is always the other implementation. */
  player: 'us' | 'peer'
  closer: 'us' | 'peer'
  /** Longer messages of the script are omitted. */
  most: number
}

export interface Report {
  protocol: string
  /** Messages whose echo was the same. */
  echoed: number
  /** Pings that were answered. */
  ponged: number
  code: number
  reason: string
  /** All errors, in words. */
  faults: string[]
}

export const PROTOCOL = 'second.choice'
export const OFFERED = ['first.choice', PROTOCOL]
export const CLOSE_CODE = 3000
export const CLOSE_REASON = 'all said – schöne Grüße'
export const BATON = 'over to you'
/** Messages of at most this many bytes are sent once more at the end, without waiting for echoes. */
export const BURST = 65536

const PATIENCE = 15_000
const FAILED = 4999
const CLOSE_PATIENCE = 3000

export function pathOf({ player, closer, most }: Plan): string {
  return `/?player=${player}&closer=${closer}&most=${most}`
}

export function planOf(path: string): Plan {
  const field = (name: string) => new RegExp(`[?&]${name}=(\\w+)`).exec(path)?.[1]
  const side = (name: string) => (field(name) === 'us' ? 'us' : 'peer')
  return { player: side('player'), closer: side('closer'), most: Number(field('most')) }
}

/** Runs one connection from the first message to the closing handshake, as one of its two sides. */
export async function converse(
  talker: Talker,
  side: 'us' | 'peer',
  plan: Plan,
  script: readonly ScriptMessage[]
): Promise<Report> {
  const report: Report = { protocol: talker.protocol, echoed: 0, ponged: 0, code: 0, reason: '', faults: [] }
  let patience: ReturnType<typeof setTimeout> | undefined
  const lost = new Promise(resolve => {
    patience = setTimeout(resolve, PATIENCE)
  }).then(() => report.faults.push(`${side} waits in vain, with ${report.echoed} echoes and ${report.ponged} pongs`))
  const talk = async () => {
    if (plan.player === side) await play(talker, plan, script, report)
    else await echo(talker, report)
    const began = Date.now()
    if (plan.closer === side) talker.close(CLOSE_CODE, CLOSE_REASON)
    while ((await talker.receive()) !== undefined) report.faults.push('a message came behind the last one')
    const { code, reason } = await talker.closed
    Object.assign(report, { code, reason })
    if (Date.now() - began > CLOSE_PATIENCE) report.faults.push(`it took ${Date.now() - began} ms to close`)
  }
  // the other side must not wait for messages that will not come
  const giveUp = (error: unknown) => {
    report.faults.push(String(error))
    talker.close(FAILED, 'see the report')
  }
  await Promise.race([talk().catch(giveUp), lost])
  clearTimeout(patience)
  return report
}

async function play(talker: Talker, plan: Plan, script: readonly ScriptMessage[], report: Report): Promise<void> {
  for (const message of script) {
    if (message.data.length > plan.most) continue
    await talker.send(toSend(message))
    await expectEcho(talker, message, 'whole', report)
    if (!talker.sendPieces) continue
    let pong: Promise<unknown> | undefined
    await talker.sendPieces(message.kind, piecesOf(message), () => {
      pong = talker.ping?.(`within ${message.name}`)
    })
    await expectEcho(talker, message, 'in pieces', report)
    if (pong) report.ponged += await pong.then(() => 1)
  }
  const burst = script.filter(({ data }) => data.length <= BURST)
  for (const message of burst) talker.send(toSend(message))
  for (const message of burst) await expectEcho(talker, message, 'right behind others', report)
  await ping(talker, 'from the player', report)
  await talker.send(BATON)
  if ((await talker.receive()) !== BATON) throw new Error('the other side did not answer the last message')
}

async function echo(talker: Talker, report: Report): Promise<void> {
  for (;;) {
    const message = await talker.receive()
    if (message === undefined) throw new Error('closed before the script was over')
    if (message === BATON) break
    await talker.send(message)
    report.echoed++
  }
  await ping(talker, 'from the echo', report)
  await talker.send(BATON)
}

async function ping(talker: Talker, payload: string, report: Report): Promise<void> {
  if (!talker.ping) return
  await talker.ping('')
  await talker.ping(payload)
  report.ponged += 2
}

async function expectEcho(talker: Talker, sent: ScriptMessage, how: string, report: Report): Promise<void> {
  const answer = await talker.receive()
  if (answer === undefined) throw new Error(`closed instead of an answer to ${sent.name}, ${how}`)
  const wrong = difference(answer, sent)
  if (wrong === undefined) report.echoed++
  else report.faults.push(`${sent.name}, sent ${how}, came back ${wrong}`)
}

function toSend(message: ScriptMessage): Message {
  return message.kind === 'text' ? new TextDecoder().decode(message.data) : message.data
}

function piecesOf({ data, cuts }: ScriptMessage): Uint8Array[] {
  return [0, ...cuts].map((cut, i) => data.subarray(cut, cuts[i] ?? data.length))
}

function difference(answer: Message, sent: ScriptMessage): string | undefined {
  const kind = typeof answer === 'string' ? 'text' : 'binary'
  if (kind !== sent.kind) return `as ${kind}`
  const data = typeof answer === 'string' ? new TextEncoder().encode(answer) : answer
  if (data.length !== sent.data.length) return `${data.length} bytes long`
  const at = data.findIndex((byte, i) => byte !== sent.data[i])
  return at < 0 ? undefined : `other than it was from byte ${at}`
}
