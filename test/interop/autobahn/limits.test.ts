// The subjects of groups 9, 12 and 13 of the Autobahn suite, in both roles, with default options: large messages, many
// fragments, many messages, and compression with the parameters that a peer may request. The numbers are those of the suite.

import { once } from 'node:events'
import { constants, createDeflateRaw, createInflateRaw, type DeflateRaw, type InflateRaw } from 'node:zlib'
import t, { type Test } from 'tap'
import { permessageDeflate, type WebSocketOptions } from '../../../lib/index.js'
import { json, noise } from '../../extensions/codecs.js'
import { answerHead, BINARY, type RawPeer, requestHead, TEXT, type WireFrame } from '../../support/raw-peer.js'
import { fresh, type Setup } from '../../websocket-stream/sides.js'

const ROLES = ['server', 'client'] as const
const EXTENSIONS = 'Sec-WebSocket-Extensions'
const KINDS = { text: TEXT, binary: BINARY }
const MEBIBYTE = 2 ** 20

/** Our echo; the peer offers, or responds with, these extensions. */
async function echo(t: Test, role: Setup['role'], said?: string, options: WebSocketOptions = {}) {
  const { ws, peer } = await fresh(t, { role, join: 'attach', wire: 'tcp' }, options)
  ws.messages.on('error', () => {})
  ws.messages.pipe(ws.messages)
  const fields = said === undefined ? {} : { [EXTENSIONS]: said }
  if (role === 'server') peer.write(requestHead(fields))
  const head = await peer.head()
  if (role === 'client') peer.write(answerHead(head, fields))
  await ws.opened
  return { ws, peer, head }
}

/** The frames of the next message. */
async function message(peer: RawPeer): Promise<WireFrame[]> {
  const frames: WireFrame[] = []
  do {
    const frame = await peer.nextFrame()
    if (frame === undefined) throw new Error('the wire ended')
    frames.push(frame)
  } while (!frames.at(-1)!.fin)
  return frames
}

const payloadOf = (frames: WireFrame[]): Buffer => Buffer.concat(frames.map(({ payload }) => payload))

/** One frame, or several of this many bytes. */
function framesOf(peer: RawPeer, opcode: number, bytes: Buffer, size: number, rsv = 0): Buffer {
  const frames: Buffer[] = []
  for (let at = 0; at === 0 || at < bytes.length; at += size) {
    const changes = { fin: at + size >= bytes.length, rsv: at === 0 ? rsv : 0 }
    frames.push(peer.frame(at === 0 ? opcode : 0, bytes.subarray(at, at + size), changes))
  }
  return Buffer.concat(frames)
}

for (const role of ROLES) {
  for (const [kind, opcode] of Object.entries(KINDS)) {
    const pattern = Buffer.alloc(16 * MEBIBYTE, 'limits ')
    const expect = async (t: Test, peer: RawPeer, bytes: Buffer, says: string) => {
      const frames = await message(peer)
      t.ok(frames[0]!.opcode === opcode && payloadOf(frames).equals(bytes), says)
    }

    t.test(`9.1 to 9.4, our ${role}: one ${kind} message, whole and in fragments`, { timeout: 120_000 }, async t => {
      const { peer } = await echo(t, role)
      for (const size of [0.0625, 0.25, 1, 4, 8, 16].map(size => size * MEBIBYTE)) {
        const bytes = pattern.subarray(0, size)
        peer.send(opcode, bytes)
        await expect(t, peer, bytes, `${size} bytes`)
      }
      const bytes = pattern.subarray(0, 4 * MEBIBYTE)
      for (let size = 64; size <= bytes.length; size *= 4) {
        peer.write(framesOf(peer, opcode, bytes, size))
        await expect(t, peer, bytes, `4 MiB in fragments of ${size} bytes`)
      }
    })

    t.test(`9.5 to 9.8, our ${role}: ${kind} in chops, and many messages`, { timeout: 120_000 }, async t => {
      const { peer } = await echo(t, role)
      const bytes = pattern.subarray(0, MEBIBYTE / 4)
      for (let chop = 64; chop <= 2048; chop *= 2) {
        const wire = peer.frame(opcode, bytes)
        for (let at = 0; at < wire.length; at += chop) peer.write(wire.subarray(at, at + chop))
        await expect(t, peer, bytes, `chops of ${chop} bytes`)
      }
      for (const size of [0, 16, 64, 256, 1024, 4096, 16_384]) {
        const wire = peer.frame(opcode, pattern.subarray(0, size))
        const count = size < 4096 ? 1000 : 200
        peer.write(Buffer.concat(Array.from({ length: count }, () => wire)))
        let right = 0
        for (let i = 0; i < count; i++) {
          if (payloadOf(await message(peer)).equals(pattern.subarray(0, size))) right++
        }
        t.equal(right, count, `${count} messages of ${size} bytes`)
      }
    })
  }
}

/** The other side's zlib, with or without context takeover (RFC 7692 §7.2). */
class Zlib {
  private deflate: DeflateRaw
  private inflate: InflateRaw

  constructor(
    private readonly sends: { windowBits: number; keeps: boolean },
    private readonly receives: { windowBits: number; keeps: boolean }
  ) {
    this.deflate = createDeflateRaw({ windowBits: sends.windowBits })
    this.inflate = createInflateRaw({ windowBits: receives.windowBits })
  }

  async compress(bytes: Buffer): Promise<Buffer> {
    if (!this.sends.keeps) this.deflate = createDeflateRaw({ windowBits: this.sends.windowBits })
    return (await through(this.deflate, bytes)).subarray(0, -4)
  }

  async decompress(bytes: Buffer): Promise<Buffer> {
    if (!this.receives.keeps) this.inflate = createInflateRaw({ windowBits: this.receives.windowBits })
    return through(this.inflate, Buffer.concat([bytes, Buffer.from([0, 0, 0xff, 0xff])]))
  }
}

async function through(stream: DeflateRaw | InflateRaw, bytes: Buffer): Promise<Buffer> {
  const pieces: Buffer[] = []
  const keep = (piece: Buffer) => pieces.push(piece)
  stream.on('data', keep)
  stream.write(bytes)
  await new Promise<void>(resolve => stream.flush(constants.Z_SYNC_FLUSH, resolve))
  // the output leaves one turn after the callback
  await new Promise(setImmediate)
  stream.off('data', keep)
  return Buffer.concat(pieces)
}

/** A number in the extension field of a head; the parameter may be missing. */
function parameter(field: string, name: string): number | undefined {
  const found = new RegExp(`${name}=(\\d+)`).exec(field)
  return found === null ? undefined : Number(found[1])
}

/** Sends messages of all sizes, whole and in fragments, and checks the echoes. */
async function talk(t: Test, peer: RawPeer, zlib: Zlib, count: number): Promise<void> {
  for (const size of [0, 16, 64, 256, 1024, 4096, 8192, 16_384, 32_768, 65_536, 131_072]) {
    const messages = [json(size), json(size, 77), noise(size, size), noise(size, 5)].map(each => Buffer.from(each))
    const sizes = [Number.POSITIVE_INFINITY, 1000]
    let right = 0
    let marked = 0
    for (let i = 0; i < count; i++) {
      const bytes = messages[i % messages.length]!
      const opcode = i % messages.length < 2 ? TEXT : BINARY
      peer.write(framesOf(peer, opcode, await zlib.compress(bytes), sizes[(i >> 2) % 2]!, 4))
      const frames = await message(peer)
      const isCompressed = frames[0]!.rsv === 4
      if (isCompressed) marked++
      const payload = payloadOf(frames)
      if ((isCompressed ? await zlib.decompress(payload) : payload).equals(bytes)) right++
    }
    t.equal(right, count, `${count} messages of ${size} bytes`)
    t.equal(marked, size < 64 ? 0 : count, 'compressed from the threshold on')
  }
}

// 13.1 to 13.7: the default, without context takeover, with the smallest and the largest window, and several offers in one
const OFFERS = [
  'permessage-deflate',
  'permessage-deflate; client_max_window_bits',
  'permessage-deflate; server_no_context_takeover; client_max_window_bits',
  'permessage-deflate; client_no_context_takeover; server_no_context_takeover',
  'permessage-deflate; server_max_window_bits=9; client_max_window_bits',
  'permessage-deflate; server_max_window_bits=15; client_max_window_bits=15',
  'permessage-deflate; server_no_context_takeover; server_max_window_bits=9; client_max_window_bits=9',
  'permessage-deflate; server_max_window_bits=15; server_no_context_takeover',
  'permessage-deflate; server_max_window_bits=8, permessage-deflate; server_no_context_takeover; server_max_window_bits=9, permessage-deflate'
]
const ANSWERS = [
  'permessage-deflate',
  'permessage-deflate; server_no_context_takeover',
  'permessage-deflate; client_no_context_takeover',
  'permessage-deflate; client_no_context_takeover; server_no_context_takeover',
  'permessage-deflate; client_max_window_bits=9; server_max_window_bits=9',
  'permessage-deflate; server_max_window_bits=15; client_max_window_bits=12',
  'permessage-deflate; server_max_window_bits=9; server_no_context_takeover'
]

for (const role of ROLES) {
  const all = role === 'server' ? OFFERS : ANSWERS
  for (const [i, said] of all.entries()) {
    t.test(`12 and 13, our ${role}: ${said}`, { timeout: 120_000 }, async t => {
      const { peer, head } = await echo(t, role, said, { extensions: [permessageDeflate()] })
      const field = role === 'server' ? (head.headers[EXTENSIONS.toLowerCase()] ?? '') : said
      if (role === 'server') t.match(field, /^permessage-deflate/, 'it is agreed on')
      const [peers, ours] = role === 'server' ? ['client', 'server'] : ['server', 'client']
      const sends = parameter(field, `${peers}_max_window_bits`) ?? 15
      const receives = parameter(field, `${ours}_max_window_bits`) ?? 15
      const zlib = new Zlib(
        { windowBits: sends, keeps: !field.includes(`${peers}_no_context_takeover`) },
        { windowBits: receives, keeps: !field.includes(`${ours}_no_context_takeover`) }
      )
      // each payload whole and in fragments, twice; more for the first
      await talk(t, peer, zlib, i === 0 ? 80 : 16)
    })
  }

  t.test(`13, our ${role}: parameters that cannot be agreed on`, async t => {
    const { peer, head, ws } = await echo(t, role, role === 'server' ? 'permessage-deflate; unknown' : undefined, {
      extensions: [permessageDeflate()]
    })
    if (role === 'server') t.equal(head.headers[EXTENSIONS.toLowerCase()], undefined)
    t.equal(ws.extensions, '')
    peer.send(TEXT, 'plain')
    t.same(
      (await message(peer)).map(({ rsv, payload }) => [rsv, String(payload)]),
      [[0, 'plain']]
    )
    peer.close()
    peer.end()
    await once(ws, 'close')
  })
}
