// Memory given to the library belongs to the application again when it says so: one buffer is filled, sent, and filled again at once, in every way
// to send, over every wire, in both roles. The peer reads slowly, and must see each message as it was when it was sent.

import t, { type Test } from 'tap'
import { permessageDeflate, type WebSocketOptions, WebSocketStream } from '../../../lib/index.js'
import { settle } from '../../websocket-stream/sides.js'
import { CONTROL_SIZES, isPayload, payloadOf, SIZES } from '../payloads.js'
import { openOn, otherRole, ROLES, type Role, WIRES, type Wire } from '../wires.js'
import { type View, WAYS, type WayToSend } from './ways-to-send.js'

t.setTimeout(300_000)

const FORMS: readonly (readonly [name: string, options: WebSocketOptions])[] = [
  ['plain', {}],
  ['in fragments', { fragmentSize: 10_000 }],
  ['compressed', { extensions: [permessageDeflate()] }]
]
const VIEWS = (Object.keys(WAYS) as View[]).filter(view => view !== 'bytes' || 'bytes' in WebSocketStream.prototype)
/** Messages of each size, from one buffer. */
const timesOf = (size: number): number => (size >= 65535 ? 2 : 3)
/** Turns of the event loop that the reader waits for each message. */
const turnsOf = (size: number): number => (size >= 65535 ? 4 : 0)

interface Sent {
  way: string
  kind: WayToSend['kind']
  number: number
  size: number
}

/** Sent and received messages, compared on arrival. */
class Ledger {
  readonly wrong: string[] = []
  private readonly expected: Sent[] = []
  private got = 0

  expect(sent: Sent): void {
    this.expected.push(sent)
  }

  take(kind: Sent['kind'], bytes: Uint8Array): void {
    const sent = this.expected[this.got++]
    if (sent === undefined) this.wrong.push(`an unexpected ${kind} of ${bytes.length} bytes`)
    else if (sent.kind !== kind || !isPayload(bytes, sent.number, sent.size)) {
      const what = bytes.length === sent.size ? 'other bytes' : `${bytes.length} bytes`
      this.wrong.push(`${sent.way}, ${sent.size} bytes: ${kind} with ${what}`)
    }
  }

  get isComplete(): boolean {
    return this.got >= this.expected.length
  }
}

async function sendAll(
  ws: WebSocketStream,
  ways: readonly WayToSend[],
  sizes: readonly number[],
  ledger: Ledger,
  pause: () => Promise<unknown> | undefined
): Promise<void> {
  let number = 0
  for (const way of ways) {
    for (const size of sizes) {
      const buffer = Buffer.alloc(size)
      for (let i = 0; i < timesOf(size); i++) {
        number++
        payloadOf(number, size).copy(buffer)
        ledger.expect({ way: way.name, kind: way.kind, number, size })
        try {
          await way.send(ws, buffer)
        } catch (error) {
          ledger.wrong.push(`${way.name}, ${size} bytes: ${error}`)
          return
        }
        buffer.fill(0xee)
        await pause()
      }
    }
  }
}

async function readSlowly(ws: WebSocketStream, ledger: Ledger): Promise<void> {
  try {
    for await (const message of ws.messages) {
      await settle(turnsOf(message.length))
      ledger.take(typeof message === 'string' ? 'text' : 'binary', Buffer.from(message))
    }
  } catch (error) {
    ledger.wrong.push(`reading ends with ${error}`)
  }
}

async function exercise(t: Test, wire: Wire, role: Role, view: View, options: WebSocketOptions): Promise<void> {
  const both = await openOn(t, wire, { client: options, server: options })
  const { [role]: sender, [otherRole(role)]: receiver } = both
  const messages = new Ledger()
  const controls = new Ledger()
  receiver.on('ping', payload => controls.take('ping', payload))
  receiver.on('pong', payload => controls.take('pong', payload))
  const reading = readSlowly(receiver, messages)

  const ways = WAYS[view]
  // a Pong that waits is replaced by the next one, so each is awaited
  const untilSeen = async (): Promise<void> => {
    while (!controls.isComplete && sender.readyState === 'open') await settle(1)
  }
  await Promise.all([
    sendAll(sender, ways.messages, SIZES, messages, () => undefined),
    sendAll(sender, ways.controls, CONTROL_SIZES, controls, untilSeen)
  ])
  sender.close(1000, 'all is sent')
  await reading
  t.ok(messages.isComplete, 'all messages arrive')
  t.same(messages.wrong.slice(0, 5), [], `messages as they were sent (${messages.wrong.length} are not)`)
  t.ok(controls.isComplete, 'all control frames arrive')
  t.same(controls.wrong.slice(0, 5), [], 'control frames as they were sent')
}

for (const wire of WIRES) {
  t.test(wire.name, async t => {
    for (const role of ROLES) {
      for (const view of VIEWS) {
        for (const [form, options] of FORMS) {
          // extensions do not see frames that are written as they are
          if (view === 'frames' && form !== 'plain') continue
          const name = `a ${role} sends ${view === 'none' ? 'without a view' : `beside ${view}`}, ${form}`
          await t.test(name, { timeout: 60_000 }, t => exercise(t, wire, role, view, options))
        }
      }
    }
  })
}
