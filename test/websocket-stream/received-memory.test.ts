// Received memory belongs to the application: it may change it, and transfer it, and neither other messages nor other connections
// are affected. Every way to receive, over every wire, with compression and without.

import { randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { type Frame, type Message, permessageDeflate, WebSocketStream } from '../../lib/index.js'
import { pair } from '../support/pair.js'
import { joinTo, type Setup, tcpPair } from './sides.js'

type Way = (ws: WebSocketStream, got: (bytes: Buffer) => void) => void

/** Each calls back with all bytes as they are delivered. */
const WAYS: Record<string, Way> = {
  'the message event': (ws, got) => ws.on('message', message => got(message as Buffer)),
  messages: (ws, got) => ws.messages.on('data', (message: Message) => got(message as Buffer)),
  streams: (ws, got) => ws.streams.on('data', stream => stream.on('data', got)),
  frames: (ws, got) => ws.frames.on('data', (frame: Frame) => got(frame.payload)),
  pings: (ws, got) => ws.on('message', () => {}).on('ping', got)
}
const SIZES = [1, 100, 1023, 1024, 3000, 9000, 16_384, 40_000, 70_000]

const WIRES: Record<string, (t: Test) => Promise<[Duplex, Duplex]>> = {
  tcp: t => tcpPair(t, false),
  memory: async () => pair()
}

/** A change and a transfer: Node 20 copies memory that must not be transferred, later versions refuse. */
function useUp(bytes: Buffer): void {
  bytes.fill(0xaa)
  try {
    structuredClone(bytes, { transfer: [bytes.buffer as ArrayBuffer] })
  } catch {}
}

async function connection(t: Test, wire: string, join: Setup['join'], compress: boolean) {
  const extensions = compress ? [permessageDeflate({ threshold: 0 })] : []
  const [near, far] = await WIRES[wire]!(t)
  const receiver = WebSocketStream.server({ extensions })
  const sender = WebSocketStream.client('ws://example.com/', { extensions })
  joinTo(receiver, near, join)
  joinTo(sender, far, join)
  t.teardown(() => {
    receiver.destroy()
    sender.destroy()
  })
  await sender.opened
  return { receiver, sender }
}

for (const wire of Object.keys(WIRES)) {
  for (const join of ['attach', 'pipe'] as const) {
    for (const [way, listen] of Object.entries(WAYS)) {
      for (const compress of way === 'frames' ? [false] : [false, true]) {
        for (const sends of ['client', 'server'] as const) {
          const name = `${way}, ${wire}, ${join}, from a ${sends}${compress ? ', compressed' : ''}`
          t.test(name, { timeout: 60_000 }, async t => {
            const used = await connection(t, wire, join, compress)
            const kept = await connection(t, wire, join, compress)
            const [from, to] =
              sends === 'client' ? (['sender', 'receiver'] as const) : (['receiver', 'sender'] as const)
            const seen: Buffer[] = []
            const untouched: Buffer[] = []
            listen(used[to], bytes => {
              seen.push(Buffer.from(bytes))
              useUp(bytes)
            })
            listen(kept[to], bytes => untouched.push(bytes))
            const sizes = way === 'pings' ? [1, 50, 125] : SIZES
            const messages = Array.from({ length: 60 }, (_, i) => randomBytes(sizes[(i * 7) % sizes.length]!))
            const expected = Buffer.concat(messages)
            for (const message of messages) {
              for (const one of [used, kept]) {
                if (way === 'pings') void one[from].ping(Buffer.from(message))
                else one[from].binary(message)
              }
            }
            const size = (pieces: Buffer[]) => pieces.reduce((sum, piece) => sum + piece.length, 0)
            // work in the thread pool is slow on a busy machine
            while (size(seen) < expected.length || size(untouched) < expected.length) await sleep(1)
            t.ok(Buffer.concat(seen).equals(expected), 'what is used up was right when it came')
            t.ok(Buffer.concat(untouched).equals(expected), 'what another connection has stays as it was')
          })
        }
      }
    }
  }
}
