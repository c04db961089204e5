// Codecs of both sides, and their neighbours in a pipeline: a parser of wire bytes, and a joiner of messages.

import { constants, deflateRawSync } from 'node:zlib'
import t, { type Test } from 'tap'
import type { Engine, EngineKind } from '../../lib/extensions/engine.js'
import { enginePool } from '../../lib/extensions/engine-pool.js'
import type { ExtensionParams, FrameCodec, StreamingSession } from '../../lib/extensions/extension.js'
import { type PermessageDeflateOptions, permessageDeflate } from '../../lib/extensions/permessage-deflate.js'
import { StreamEngine } from '../../lib/extensions/stream-engine.js'
import { ZlibEngine } from '../../lib/extensions/zlib-engine.js'
import { Frame } from '../../lib/protocol/frame.js'
import { FrameParser } from '../../lib/protocol/frame-parser.js'
import { type Message, MessageJoiner } from '../../lib/protocol/message-joiner.js'
import { Opcode } from '../../lib/protocol/opcode.js'
import { BINARY, bytesOf, CONTINUATION, pattern, random, type WireFrame, wire } from '../support/frames.js'

export const RSV1 = 4
export const NO_LIMIT = Number.POSITIVE_INFINITY

/** The engines behind all codecs: the handles of zlib's streams, or these streams as Node documents them. */
export const ENGINES = {
  handles: (kind: EngineKind): Engine => new ZlibEngine(kind),
  streams: (kind: EngineKind): Engine => new StreamEngine(kind)
}
export type Engines = keyof typeof ENGINES
export const BOTH = Object.keys(ENGINES) as Engines[]

/** Makes all codecs use these engines until the test is over. */
export function useEngines(t: Test, engines: Engines): void {
  const { make } = enginePool
  const change = (to: typeof make): void => {
    enginePool.release()
    enginePool.make = to
  }
  change(ENGINES[engines])
  t.teardown(() => change(make))
}

/** A test for each kind of engine. */
export function byBoth(name: string, run: (t: Test) => Promise<void>): void {
  for (const engines of BOTH) {
    t.test(`${name}, by ${engines}`, t => {
      useEngines(t, engines)
      return run(t)
    })
  }
}

export interface Pair {
  client: StreamingSession
  server: StreamingSession
  offer: ExtensionParams
  answer: ExtensionParams
}

/** Two sides that have negotiated. */
export function agree(serverOptions: PermessageDeflateOptions, clientOptions: PermessageDeflateOptions = {}): Pair {
  const client = permessageDeflate(clientOptions).createClientSession()!
  const offer = client.generateOffer() as ExtensionParams
  const server = permessageDeflate(serverOptions).createServerSession([offer])
  if (!server) throw new Error('declined')
  const answer = server.generateResponse()
  if (!client.activate(answer)) throw new Error('not activated')
  return { client: client.streaming!, server: server.streaming!, offer, answer }
}

/** One side, whose peer agreed to these windows. */
export function side(options: PermessageDeflateOptions, answer: ExtensionParams = {}): StreamingSession {
  const session = permessageDeflate(options).createClientSession()!
  if (!session.activate(answer)) throw new Error('not activated')
  return session.streaming!
}

/** The output of a codec for one frame, or part of one. */
export async function through(codec: FrameCodec, frame: Frame): Promise<Frame[]> {
  const frames: Frame[] = []
  codec.push(frame)
  for (;;) {
    for (let out = codec.next(); out !== null; out = codec.next()) frames.push(out)
    if (!codec.busy) return frames
    await new Promise<void>(resolve => {
      codec.ready = resolve
    })
  }
}

/** The frames in which a codec sends a message. */
export function send(codec: FrameCodec, message: Message): Promise<Frame[]> {
  return through(codec, new Frame(typeof message === 'string' ? Opcode.Text : Opcode.Binary, message))
}

/** How the wire is split into chunks. */
export type Cut = (bytes: Buffer) => Buffer[]

export const WHOLE: Cut = bytes => [bytes]

/** Turns wire bytes, or frames, into the messages that the application gets. */
export class Receiver {
  readonly messages: Message[] = []
  /** Bytes in each piece. */
  readonly pieces: number[] = []
  private readonly parser: FrameParser
  private readonly joiner: MessageJoiner

  constructor(
    readonly codec: FrameCodec,
    private readonly masked = false,
    maxFragments = NO_LIMIT
  ) {
    this.parser = new FrameParser({ masked, maxFrameSize: NO_LIMIT })
    this.parser.allowedRsv = RSV1
    this.joiner = new MessageJoiner({ maxMessageSize: NO_LIMIT, maxFragments })
  }

  /** Receives what the other side sends; returns the last message completed by it. */
  async take(frames: readonly Frame[], cut: Cut = WHOLE): Promise<Message | undefined> {
    const sent = frames.map(({ opcode, payload, fin, rsv }) => ({ opcode, payload, fin, rsv }))
    await this.read(cut(wire(this.masked, ...sent)))
    return this.messages.at(-1)
  }

  async read(chunks: readonly Buffer[]): Promise<void> {
    for (const chunk of chunks) {
      this.parser.push(bytesOf(chunk), true)
      for (let frame = this.parser.next(); frame !== null; frame = this.parser.next()) {
        for (const piece of await through(this.codec, frame)) {
          this.pieces.push(piece.size)
          const message = this.joiner.add(piece)
          if (message !== null) this.messages.push(message)
        }
      }
    }
  }
}

/** A compressed message in one frame. */
export function compressed(payload: Uint8Array, opcode = BINARY): WireFrame {
  return { opcode, payload: bytesOf(payload), fin: true, rsv: RSV1 }
}

/** A compressed message in fragments. */
export function fragments(...payloads: Uint8Array[]): WireFrame[] {
  return payloads.map((payload, i) => ({
    opcode: i === 0 ? BINARY : CONTINUATION,
    payload: bytesOf(payload),
    fin: i === payloads.length - 1,
    rsv: i === 0 ? RSV1 : 0
  }))
}

/** A message compressed by zlib alone (RFC 7692 §7.2.1). */
export function deflate(bytes: Uint8Array, dictionary?: Buffer): Buffer {
  const made = deflateRawSync(bytes, {
    finishFlush: constants.Z_SYNC_FLUSH,
    ...(dictionary === undefined ? {} : { dictionary })
  })
  return made.subarray(0, -4)
}

/** The same with a final block, as `Z_FINISH` makes it. */
export function deflateFinal(bytes: Uint8Array, dictionary?: Buffer): Buffer {
  return deflateRawSync(bytes, dictionary === undefined ? {} : { dictionary })
}

/** JSON as applications send it: similar from message to message, but not the same. */
export function json(size: number, seed = 1): string {
  let text = ''
  for (let id = seed; text.length < size; id++) {
    text += `{"id":${id},"user":"u${(id * 7919) % 1000}","value":${Math.sin(id).toFixed(6)},"ok":${id % 2 === 0}},`
  }
  return text.slice(0, size)
}

/** Bytes that cannot be compressed. */
export function noise(size: number, seed = 1): Buffer {
  const next = random(seed)
  const bytes = Buffer.allocUnsafe(size)
  for (let i = 0; i < size; i++) bytes[i] = next() * 256
  return bytes
}

/** Messages that repeat each other over short and long distances, empty ones, and some larger than a window. */
export function conversation(): Message[] {
  const far = noise(600)
  return [
    'a',
    json(125, 1),
    json(125, 2),
    '',
    Buffer.alloc(0),
    far,
    json(3000, 5),
    Buffer.concat([far, pattern(3000), far]),
    `ünïcödé ${json(40, 9)} 😀`,
    json(20_000, 50),
    Buffer.concat([far, noise(17_000, 3), far]),
    json(70_000, 7),
    json(125, 1),
    far
  ]
}
