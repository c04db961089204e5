// A34: the application destroys either side while the other has data in flight, in every state: no write after the end, no uncatchable
// error, one close event, and no memory that stays.

import t, { type Test } from 'tap'
import { type CloseInfo, permessageDeflate, type WebSocketOptions, WebSocketStream } from '../../lib/index.js'
import { random } from '../support/frames.js'
import { pair } from '../support/pair.js'
import { settle, tcpPair } from '../websocket-stream/sides.js'
import { inProcess, turn } from './support.js'

const SIDES = ['server', 'client'] as const
const HOWS = ['the connection', 'its wire', 'its messages'] as const
const MOMENTS = [0, 1, 2, 3, 5, 8, 13, 40]
const DATA = Buffer.from(Array.from({ length: 50_000 }, random(34)).map(x => x * 256))

interface Pair {
  server: WebSocketStream
  client: WebSocketStream
  wires: Record<'server' | 'client', { destroy(): unknown }>
  closes: CloseInfo[]
}

async function join(t: Test, wire: 'memory' | 'tcp', options: WebSocketOptions): Promise<Pair> {
  const [left, right] = wire === 'memory' ? pair() : await tcpPair(t, false)
  const server = WebSocketStream.server(options).attach(left)
  const client = WebSocketStream.client('ws://a/', options).attach(right)
  const closes: CloseInfo[] = []
  for (const ws of [server, client]) ws.on('close', info => closes.push(info))
  return { server, client, wires: { server: left, client: right }, closes }
}

/** Both send, and both ping; one stops reading. */
function talk({ server, client }: Pair): void {
  server.messages.resume()
  server.messages.on('error', () => {})
  for (const ws of [server, client]) {
    for (let i = 0; i < 10; i++) ws.messages.write(i % 2 ? DATA : DATA.toString('latin1'))
    ws.ping().catch(() => {})
    const writer = ws.createMessage('binary')
    writer.on('error', () => {})
    writer.write(DATA)
  }
}

for (const wire of ['memory', 'tcp'] as const) {
  for (const side of SIDES) {
    for (const how of HOWS) {
      for (const extensions of [[], [permessageDeflate()]]) {
        t.test(`${wire}, ${side}, ${extensions.length} extensions: ${how}`, async t => {
          for (const moment of MOMENTS) {
            for (const closing of [false, true]) {
              const both = await join(t, wire, { extensions, closeTimeout: 100 })
              talk(both)
              for (let i = 0; i < moment; i++) await turn()
              if (closing) both[side].close()
              if (how === 'the connection') both[side].destroy(closing ? new Error('enough') : undefined)
              else if (how === 'its wire') both.wires[side].destroy()
              else both[side].messages.destroy()
              both.client.messages.resume()
              await Promise.all([both.server.whenClosed(), both.client.whenClosed()])
              await settle(3)
              t.equal(both.closes.length, 2, `after ${moment} turns`)
              t.throws(() => both[side].attach(pair()[0]), TypeError)
              t.equal(both[side].text('late'), false)
            }
          }
        })
      }
    }
  }
}

t.test('nothing remains of connections that were destroyed', { timeout: 120_000 }, async t => {
  const { few, many, control } = await inProcess<Record<string, number>>('a34')
  t.ok(control! > 300 * 1024, `300 connections that are kept: ${control} bytes`)
  t.ok(many! - few! < control! / 4, `300 more that were destroyed: ${many! - few!} bytes`)
})
