// Received memory belongs to the application for good: for every way to receive, over every wire, in both roles, a third of it is kept, a third
// changed and a third transferred, while another connection on a wire of the same kind continues.

import t, { type Test } from 'tap'
import { permessageDeflate, type WebSocketOptions, WebSocketStream } from '../../../lib/index.js'
import { settle } from '../../websocket-stream/sides.js'
import { close, whenClosed } from '../adapter.js'
import { CONTROL_SIZES, isPayload, payloadOf, SIZES } from '../payloads.js'
import { openOn, otherRole, ROLES, type Role, WIRES, type Wire } from '../wires.js'
import { Keeper } from './keeper.js'
import { type Taker, type WayToReceive, waysToReceive } from './ways-to-receive.js'

t.setTimeout(300_000)

const WAYS = waysToReceive(member => member in WebSocketStream.prototype)
const FORMS: readonly (readonly [name: string, options: WebSocketOptions])[] = [
  ['plain', {}],
  ['in fragments', { fragmentSize: 1000 }],
  ['compressed', { extensions: [permessageDeflate()] }]
]
const ROUNDS = 3

/** Compares messages with what was sent, before the keeper gets their memory. */
class Inspector implements Taker {
  readonly keeper = new Keeper()
  readonly wrong: string[] = []
  readonly sizes: number[] = []
  count = 0
  private pieces: (Buffer | string)[] = []

  constructor(private readonly whole: boolean) {}

  piece(piece: Buffer | string): void {
    this.pieces.push(typeof piece === 'string' ? piece : Buffer.from(piece))
    if (typeof piece !== 'string') this.keeper.take(piece)
    if (!this.whole) return
    // no borders between messages: they are found by their sizes
    for (let size = this.sizes[this.count]; size !== undefined; size = this.sizes[this.count]) {
      const all = Buffer.concat(this.pieces as Buffer[])
      if (all.length < size) return
      this.pieces = [all.subarray(size)]
      this.compare(all.subarray(0, size))
    }
  }

  end(): void {
    const all = Buffer.concat(this.pieces.map(piece => Buffer.from(piece as string)))
    this.pieces = []
    this.compare(all)
  }

  private compare(bytes: Buffer): void {
    const number = this.count++
    const size = this.sizes[number]
    if (size === undefined) this.wrong.push(`an unexpected message of ${bytes.length} bytes`)
    else if (!isPayload(bytes, number, size)) this.wrong.push(`message ${number} of ${size} bytes is another`)
  }
}

/** Another connection, which must not be affected. */
async function bystander(t: Test, wire: Wire): Promise<{ beat(): void; end(): Promise<void> }> {
  const { client, server } = await openOn(t, wire)
  const got: { client: string[]; server: string[] } = { client: [], server: [] }
  for (const [role, ws] of [['client', client] as const, ['server', server] as const]) {
    ws.on('message', message => got[role].push(message.toString()))
  }
  const sent: string[] = []
  return {
    beat() {
      const text = `beat ${sent.length}`
      sent.push(text)
      for (const ws of [client, server]) ws.binary(Buffer.from(text))
    },
    async end() {
      await Promise.all([close(client), whenClosed(server)])
      t.same(got, { client: sent, server: sent }, 'another connection has all of its messages')
    }
  }
}

async function sendAll(ws: WebSocketStream, inspector: Inspector, beat: () => void, textToo: boolean): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    // the largest only once: it takes most of the time, and its pieces are kept, changed and transferred
    for (const size of round === 0 ? SIZES : SIZES.slice(0, -1)) {
      const number = inspector.sizes.push(size) - 1
      const payload = payloadOf(number, size)
      if (textToo && number % 4 === 3) ws.text(payload.toString())
      else ws.binary(payload)
      beat()
    }
    await settle(round)
  }
}

async function sendControls(ws: WebSocketStream): Promise<void> {
  for (let number = 0; number < 3 * ROUNDS; number++) {
    const size = CONTROL_SIZES[number % CONTROL_SIZES.length]!
    await ws.ping(payloadOf(number, size))
    ws.pong(payloadOf(number, size))
  }
}

async function exercise(t: Test, wire: Wire, role: Role, way: WayToReceive, options: WebSocketOptions): Promise<void> {
  const { [role]: receiver, [otherRole(role)]: sender } = await openOn(t, wire, { client: options, server: options })
  const inspector = new Inspector(way.isBytes === true)
  const controls = new Keeper()
  for (const event of ['ping', 'pong'] as const) {
    for (const ws of [receiver, sender]) ws.on(event, payload => controls.take(payload))
  }
  const other = await bystander(t, wire)
  const reading = way.read(receiver, inspector)
  await Promise.all([sendAll(sender, inspector, other.beat, way.isBytes !== true), sendControls(sender)])
  await Promise.all([close(sender), whenClosed(receiver), reading])
  await other.end()

  t.equal(inspector.count, inspector.sizes.length, 'all messages arrive')
  t.same(inspector.wrong.slice(0, 5), [], `messages as they were sent (${inspector.wrong.length} are not)`)
  t.equal(inspector.keeper.changed, 0, 'what was kept is as it was')
  t.equal(controls.changed, 0, 'so are payloads of control frames')
  t.same([...inspector.keeper.wrong, ...controls.wrong], [], 'memory is transferred, or that is refused')
}

for (const wire of WIRES) {
  t.test(wire.name, async t => {
    for (const role of ROLES) {
      for (const way of WAYS) {
        for (const [form, options] of FORMS) {
          // changes by an extension are not undone there
          if (way.name === 'frames' && form === 'compressed') continue
          const name = `a ${role} receives by ${way.name}, ${form}`
          await t.test(name, { timeout: 60_000 }, t => exercise(t, wire, role, way, options))
        }
      }
    }
  })
}
