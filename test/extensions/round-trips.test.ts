// Whatever the two sides negotiate, messages arrive unchanged: between our two sides, and to and from ws.

import t, { type Test } from 'tap'
import * as ws from 'ws'
import type { PermessageDeflateOptions } from '../../lib/extensions/permessage-deflate.js'
import { Frame } from '../../lib/protocol/frame.js'
import type { Message } from '../../lib/protocol/message-joiner.js'
import { Opcode } from '../../lib/protocol/opcode.js'
import { byteByByte, cut, random } from '../support/frames.js'
import {
  agree,
  BOTH,
  type Cut,
  conversation,
  type Engines,
  json,
  NO_LIMIT,
  noise,
  Receiver,
  RSV1,
  send,
  through,
  useEngines,
  WHOLE
} from './codecs.js'

/** Each with all window sizes, or with the smallest, the largest and the default. */
const each = <T>(bits: readonly T[]): [T, Engines][] => [
  ...bits.map((b): [T, Engines] => [b, 'handles']),
  ...[bits[0]!, bits.at(-4)!, bits.at(-1)!].map((b): [T, Engines] => [b, 'streams'])
]

const SIZES = [1, 2, 100, 4095, 16383, 16384, 16385, 32767, 32768, 32769, 65535, 65536, 65537, 131_073, 2 ** 20]
const BITS = [8, 9, 10, 11, 12, 13, 14, 15]
const NODE_BITS = BITS.slice(1)
const TAKEOVER = [true, false]

const same = (a: Message | undefined, b: Message): boolean =>
  typeof a === 'string' || typeof b === 'string' ? a === b : a?.equals(b) === true

for (const [bits, engines] of each(NODE_BITS)) {
  t.test(`both sides, windows of ${bits} bits, with context taken over and without, by ${engines}`, async t => {
    useEngines(t, engines)
    for (const contextTakeover of TAKEOVER) {
      for (const peerContextTakeover of TAKEOVER) {
        const options = { windowBits: bits, peerWindowBits: bits, contextTakeover, peerContextTakeover, threshold: 0 }
        const { client, server } = agree(options, { threshold: 0, windowBits: 15 })
        const toServer = new Receiver(server.incoming(NO_LIMIT), true)
        const toClient = new Receiver(client.incoming(NO_LIMIT), false)
        const [fromClient, fromServer] = [client.outgoing(), server.outgoing()]
        for (const message of conversation()) {
          if (!same(await toServer.take(await send(fromClient, message)), message)) t.fail('to the server')
          if (!same(await toClient.take(await send(fromServer, message)), message)) t.fail('to the client')
        }
        t.equal(toServer.messages.length, conversation().length)
        for (const codec of [toServer.codec, toClient.codec, fromClient, fromServer]) codec.close()
      }
    }
  })
}

t.test('a client asked for a window of 8 sends everything uncompressed', async t => {
  const { client, server, answer } = agree({ peerWindowBits: 8, threshold: 0 }, { threshold: 0 })
  t.equal(answer['client_max_window_bits'], 8)
  const sender = client.outgoing()
  const receiver = new Receiver(server.incoming(NO_LIMIT), true)
  for (const message of conversation()) {
    const frames = await send(sender, message)
    t.equal(frames.length, 1)
    t.equal(frames[0]!.rsv, 0)
    t.ok(same(await receiver.take(frames), message))
  }
})

// ws has these, its types do not
interface WsCompression {
  params: object
  compress(data: Buffer | string, fin: boolean, callback: (error: Error | null, data: Buffer) => void): void
  decompress(data: Buffer, fin: boolean, callback: (error: Error | null, data: Buffer) => void): void
  cleanup(): void
}
const { PerMessageDeflate } = ws as unknown as {
  PerMessageDeflate: new (options: object) => WsCompression
}

function wsSide(isServer: boolean, bits: number, ourTakeover: boolean, theirTakeover: boolean): WsCompression {
  const side = new PerMessageDeflate({ isServer, maxPayload: 2 ** 26, threshold: 0 })
  const [ours, theirs] = isServer ? ['server', 'client'] : ['client', 'server']
  side.params = {
    [`${ours}_max_window_bits`]: bits,
    [`${theirs}_max_window_bits`]: bits,
    ...(ourTakeover ? {} : { [`${ours}_no_context_takeover`]: true }),
    ...(theirTakeover ? {} : { [`${theirs}_no_context_takeover`]: true })
  }
  return side
}

function call(work: (callback: (error: Error | null, data: Buffer) => void) => void): Promise<Buffer> {
  return new Promise((resolve, reject) => work((error, data) => (error ? reject(error) : resolve(data))))
}

for (const [bits, engines] of each(BITS)) {
  t.test(`to and from ws, windows of ${bits} bits, with context taken over and without, by ${engines}`, async t => {
    useEngines(t, engines)
    for (const contextTakeover of TAKEOVER) {
      for (const peerContextTakeover of TAKEOVER) {
        const options: PermessageDeflateOptions = {
          windowBits: Math.max(bits, 9),
          peerWindowBits: bits,
          contextTakeover,
          peerContextTakeover,
          threshold: 0
        }
        const { server } = agree(options, { windowBits: 15 })
        const theirs = wsSide(false, bits, peerContextTakeover, contextTakeover)
        const receiver = new Receiver(server.incoming(NO_LIMIT), true)
        const sender = server.outgoing()
        for (const message of conversation()) {
          const payload = await call(done => theirs.compress(message, true, done))
          const opcode = typeof message === 'string' ? Opcode.Text : Opcode.Binary
          if (!same(await receiver.take([new Frame(opcode, payload, true, RSV1)]), message)) t.fail('from ws')
          if (bits === 8) continue
          const parts: Buffer[] = []
          for (const { payload, fin } of await send(sender, message)) {
            parts.push(await call(done => theirs.decompress(payload, fin, done)))
          }
          if (!Buffer.concat(parts).equals(Buffer.from(message as string))) t.fail('to ws')
        }
        t.equal(receiver.messages.length, conversation().length)
        theirs.cleanup()
        sender.close()
        receiver.codec.close()
      }
    }
  })
}

const CUTS: Record<string, Cut> = {
  whole: WHOLE,
  'byte by byte': byteByByte,
  'in random chunks': bytes => {
    const next = random(bytes.length)
    const ends: number[] = []
    for (let at = 0; ; ends.push(at)) {
      at += Math.ceil(next() * 40_000 * next())
      if (at >= bytes.length) return cut(bytes, ...ends)
    }
  }
}

for (const [way, cutting] of Object.entries(CUTS)) {
  for (const engines of BOTH) {
    t.test(`a compressed conversation that arrives ${way}, by ${engines}`, t => arrives(t, cutting, engines))
  }
}

async function arrives(t: Test, cutting: Cut, engines: Engines): Promise<void> {
  useEngines(t, engines)
  for (const masked of [true, false]) {
    const { client, server } = agree({ threshold: 0, concurrency: 1 })
    const sender = (masked ? client : server).outgoing()
    const receiver = new Receiver((masked ? server : client).incoming(NO_LIMIT), masked)
    for (const message of conversation()) {
      if (!same(await receiver.take(await send(sender, message), cutting), message)) t.fail('not the same')
    }
    t.equal(receiver.messages.length, conversation().length)
  }
}

for (const engines of BOTH) {
  t.test(`a message in random fragments, each readable when it has arrived, by ${engines}`, async t => {
    useEngines(t, engines)
    const next = random(7)
    for (const contextTakeover of TAKEOVER) {
      const { client, server } = agree({ peerContextTakeover: contextTakeover })
      const sender = client.outgoing()
      const receiver = new Receiver(server.incoming(NO_LIMIT), true)
      for (let round = 0; round < 40; round++) {
        const message = Buffer.from(json(Math.floor(next() * 30_000), round))
        const ends = Array.from({ length: Math.floor(next() * 6) }, () => Math.floor(next() * message.length)).sort(
          (a, b) => a - b
        )
        const parts = cut(message, ...ends)
        let arrived = 0
        for (const [i, part] of parts.entries()) {
          const fin = i === parts.length - 1
          receiver.pieces.length = 0
          const frame = new Frame(i === 0 ? Opcode.Binary : Opcode.Continuation, part, fin)
          await receiver.take(await through(sender, frame))
          arrived += receiver.pieces.reduce((sum, size) => sum + size, 0)
          if (arrived !== (ends[i] ?? message.length)) t.fail('a fragment is not all there')
        }
        if (!same(receiver.messages.at(-1), message)) t.fail('not the same')
      }
      t.equal(receiver.messages.length, 40)
    }
  })
}

t.test('messages of all sizes, from one byte to a mebibyte, by streams', { timeout: 60_000 }, async t => {
  useEngines(t, 'streams')
  await sendAll(t, SIZES)
})

t.test('messages of all sizes, from one byte to 16 MiB', { timeout: 60_000 }, t => sendAll(t, [...SIZES, 2 ** 24]))

async function sendAll(t: Test, sizes: readonly number[]): Promise<void> {
  const { client, server } = agree({}, { threshold: 0 })
  const sender = client.outgoing()
  const receiver = new Receiver(server.incoming(NO_LIMIT), true)
  for (const size of sizes) {
    for (const message of [json(size), noise(size)]) {
      const frames = await send(sender, message)
      t.ok(same(await receiver.take(frames), message), `${size}`)
      receiver.messages.length = 0
    }
  }
}
