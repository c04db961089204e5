// Run as a process: the memory that is left of connections that were destroyed with data in flight, by their number.

import { WebSocketStream } from '../../../lib/index.js'
import { pair } from '../../support/pair.js'
import { turn } from '../support.js'
import { kept, say } from './measure.js'

async function connect(): Promise<WebSocketStream[]> {
  const [left, right] = pair()
  const server = WebSocketStream.server().attach(left)
  const client = WebSocketStream.client('ws://a/').attach(right)
  server.messages.resume()
  await client.opened
  for (let i = 0; i < 3; i++) {
    client.messages.write(Buffer.alloc(20_000))
    server.messages.write('a'.repeat(20_000))
  }
  return [server, client]
}

async function destroyed(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const both = await connect()
    for (let j = 0; j < i % 4; j++) await turn()
    both[i % 2]!.destroy()
    both[1 - (i % 2)]!.messages.resume()
    await Promise.all(both.map(ws => ws.whenClosed()))
  }
}

async function open(count: number): Promise<WebSocketStream[][]> {
  const all: WebSocketStream[][] = []
  for (let i = 0; i < count; i++) all.push(await connect())
  return all
}

await destroyed(100)
const few = await kept(() => destroyed(100))
const many = await kept(() => destroyed(400))
const control = await kept(() => open(300))
say({ few, many, control })
