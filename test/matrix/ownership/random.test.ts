// 10,000 random messages over all wires at once, sent in every way, compared byte for byte on arrival.

import t, { type Test } from 'tap'
import { permessageDeflate, type WebSocketOptions } from '../../../lib/index.js'
import { random } from '../../support/frames.js'
import { settle } from '../../websocket-stream/sides.js'
import { close, whenClosed } from '../adapter.js'
import { isPayload, payloadOf } from '../payloads.js'
import { type Both, openOn, otherRole, ROLES, type Role, WIRES, type Wire } from '../wires.js'
import { Keeper } from './keeper.js'
import { WAYS } from './ways-to-send.js'

const COUNT = 10_000
const SEED = Number(process.env['MATRIX_SEED'] ?? 1)

class Side {
  readonly wrong: string[] = []
  got = 0
  sent: [number: number, size: number][] = []
  readonly keeper = new Keeper()

  take(message: Buffer | string): void {
    const [number, size] = this.sent[this.got++] ?? [-1, -1]
    if (!isPayload(Buffer.from(message as string), number, size)) this.wrong.push(`message ${number} of ${size} bytes`)
    else if (typeof message !== 'string') this.keeper.take(message)
  }
}

function optionsFor(choice: number): WebSocketOptions {
  if (choice < 0.6) return {}
  return choice < 0.8 ? { fragmentSize: 500 } : { extensions: [permessageDeflate()] }
}

async function exchange(t: Test, wire: Wire, seed: number, count: number): Promise<number> {
  const next = random(seed)
  const both: Both = await openOn(t, wire, { client: optionsFor(next()), server: optionsFor(next()) })
  const sides = { client: new Side(), server: new Side() }
  for (const role of ROLES) both[role].on('message', message => sides[role].take(message))
  const sending = ROLES.map(role => sendRandom(both, role, sides[otherRole(role)], random(seed + 1), count))
  for (const outcome of await Promise.allSettled(sending)) {
    if (outcome.status === 'rejected') t.fail(`${wire.name}: ${outcome.reason}`)
  }
  await Promise.all([close(both.client), whenClosed(both.server)])
  const { client, server } = sides
  t.same([client.got, server.got], [client.sent.length, server.sent.length], `${wire.name}: all messages arrive`)
  t.same([...client.wrong, ...server.wrong].slice(0, 5), [], 'as they were sent')
  t.equal(client.keeper.changed + server.keeper.changed, 0, 'what was kept is as it was')
  return client.got + server.got
}

async function sendRandom(both: Both, role: Role, to: Side, next: () => number, count: number): Promise<void> {
  const { messages, controls } = WAYS.none
  const buffer = Buffer.alloc(100_000)
  for (let number = 0; number < count; number++) {
    const size = Math.floor(next() ** 8 * buffer.length)
    const payload = buffer.subarray(0, size)
    payloadOf(number, size).copy(payload)
    to.sent.push([number, size])
    const way = messages[Math.floor(next() * messages.length)]!
    await way.send(both[role], payload)
    buffer.fill(0xee)
    if (next() < 0.1) controls[0]!.send(both[role], buffer.subarray(0, 10))
    if (next() < 0.1) await settle(1)
  }
}

t.test('random messages arrive as they were sent', { timeout: 60_000 }, async t => {
  const each = Math.ceil(COUNT / WIRES.length / 2)
  const counts = await Promise.all(WIRES.map((wire, i) => exchange(t, wire, SEED * 1000 + 10 * i, each)))
  const total = counts.reduce((sum, count) => sum + count)
  t.ok(total >= COUNT, `${total} messages`)
})
