import { constants, inflateRawSync } from 'node:zlib'
import t from 'tap'
import { idleSweeper } from '../../lib/extensions/idle-sweeper.js'
import { DEFLATE_PIECE, FRAGMENT_FROM } from '../../lib/extensions/outgoing-codec.js'
import { Frame } from '../../lib/protocol/frame.js'
import { shiftMask } from '../../lib/protocol/mask.js'
import { Opcode } from '../../lib/protocol/opcode.js'
import { PreparedMessage } from '../../lib/protocol/prepared-message.js'
import { bytesOf, cut, describe } from '../support/frames.js'
import { agree, byBoth, json, NO_LIMIT, noise, Receiver, RSV1, send, side, through } from './codecs.js'

const TAIL = Buffer.from([0, 0, 0xff, 0xff])

/** How a receiver without context inflates the frames of one message. */
function inflate(frames: Frame[]): Buffer {
  const bytes = Buffer.concat([...frames.map(frame => frame.payload), TAIL])
  return inflateRawSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH })
}

const ALONE = { contextTakeover: false, threshold: 0 }

t.test('a message is compressed from the threshold on, counted in UTF-8 bytes', async t => {
  const codec = side({ threshold: 10 }).outgoing()
  const cases: [message: string | Buffer, compressed: boolean][] = [
    ['', false],
    ['a'.repeat(9), false],
    ['a'.repeat(10), true],
    ['ä'.repeat(4), false],
    ['ä'.repeat(5), true],
    [Buffer.alloc(9), false],
    [Buffer.alloc(10), true]
  ]
  for (const [message, isCompressed] of cases) {
    const [frame] = await send(codec, message)
    t.equal(frame!.rsv, isCompressed ? RSV1 : 0, `${message.length}`)
  }
  codec.close()
})

t.test('by default, messages that would hardly get smaller are not compressed', async t => {
  const codec = side({}).outgoing()
  t.equal((await send(codec, 'a'.repeat(63)))[0]!.rsv, 0)
  t.equal((await send(codec, 'a'.repeat(64)))[0]!.rsv, RSV1)
  codec.close()
})

t.test('an uncompressed message passes unchanged', async t => {
  const codec = side({}).outgoing()
  const small = new Frame(Opcode.Text, 'small')
  t.same(await through(codec, small), [small])
  const refused = new Frame(Opcode.Text, 'x'.repeat(10_000))
  refused.compress = false
  t.same(await through(codec, refused), [refused])
  t.equal(typeof refused.data, 'string')
  const parts = [new Frame(Opcode.Binary, noise(10), false), new Frame(Opcode.Continuation, noise(10), true)]
  parts[0]!.compress = false
  for (const part of parts) t.same(await through(codec, part), [part])
  t.equal((await send(codec, 'a'.repeat(100)))[0]!.rsv, RSV1, 'the next message is none of that')
  codec.close()
})

t.test('an empty message is a byte of zeros (RFC 7692 §7.2.3.6)', async t => {
  for (const contextTakeover of [true, false]) {
    const codec = side({ threshold: 0, contextTakeover }).outgoing()
    for (const message of ['', Buffer.alloc(0), 'a', '']) {
      const frames = await send(codec, message)
      t.equal(frames.length, 1)
      if (message.length === 0) t.same(frames[0]!.payload, Buffer.from([0]))
    }
    codec.close()
  }
})

byBoth('fragments: RSV1 on the first one only, and the tail is removed from the last one only', async t => {
  for (const contextTakeover of [true, false]) {
    const codec = side({ contextTakeover }).outgoing()
    for (const [i, bytes] of ['one', '', 'two', ''].entries()) {
      const frame = new Frame(i === 0 ? Opcode.Text : Opcode.Continuation, bytes, i === 3)
      const [out, ...rest] = await through(codec, frame)
      t.same(rest, [])
      const payload = out!.payload.toString('hex')
      const expected = [/^text\+ rsv 4 .+0000ffff$/, /^more\+$/, /^more\+ .+0000ffff$/, /^more 00$/][i]!
      t.match(describe({ ...out!, opcode: out!.opcode, fin: out!.fin, rsv: out!.rsv, payload: out!.payload }), expected)
      t.equal(out!.length, payload.length / 2)
    }
    codec.close()
  }
})

t.test('a fragmented message is compressed however small it is', async t => {
  const codec = side({ threshold: 1000, contextTakeover: false }).outgoing()
  const frames = [
    ...(await through(codec, new Frame(Opcode.Binary, bytesOf('a'), false))),
    ...(await through(codec, new Frame(Opcode.Continuation, bytesOf('b'), true)))
  ]
  t.same(
    frames.map(frame => [frame.opcode, frame.fin, frame.rsv]),
    [
      [Opcode.Binary, false, RSV1],
      [Opcode.Continuation, true, 0]
    ]
  )
  t.equal(inflate(frames).toString(), 'ab')
})

byBoth('a large message is one frame; beyond a mebibyte it is fragments, each made on request', async t => {
  for (const [message, count] of [
    [json(300_000), 1],
    [noise(300_000), 1],
    [json(3_000_000), 1],
    [noise(3_000_000), 3]
  ] as const) {
    const codec = side(ALONE).outgoing()
    codec.push(new Frame(typeof message === 'string' ? Opcode.Text : Opcode.Binary, message))
    const frames: Frame[] = []
    while (frames.at(-1)?.fin !== true) {
      const frame = codec.next()
      if (frame !== null) frames.push(frame)
      else if (codec.busy) await new Promise<void>(resolve => (codec.ready = resolve))
      else t.fail('nothing comes, and nothing is under way')
    }
    t.equal(codec.next(), null)
    t.equal(codec.busy, false)
    t.equal(frames.length, count)
    const opcode = typeof message === 'string' ? Opcode.Text : Opcode.Binary
    t.same(
      frames.map(frame => [frame.opcode, frame.rsv, frame.fin]),
      frames.map((_, i) => [i === 0 ? opcode : 0, i === 0 ? RSV1 : 0, i === count - 1])
    )
    t.ok(frames.every(({ size }) => size < FRAGMENT_FROM + 2 * DEFLATE_PIECE))
    t.ok(inflate(frames).equals(bytesOf(message)))
    codec.close()
  }
})

byBoth('frames in parts, masked as received', async t => {
  const mask = 0x12345678
  const plain = noise(50_000)
  const masked = Buffer.from(plain)
  for (let i = 0; i < masked.length; i++) masked[i]! ^= (mask >>> ((i & 3) * 8)) & 255
  for (const size of [50_000, 1, 40]) {
    const codec = side(ALONE).outgoing()
    const length = Math.min(plain.length, size * 4)
    const ends = [length >> 2, length >> 1].filter((end, i, all) => end > 0 && all.indexOf(end) === i)
    const frames: Frame[] = []
    let offset = 0
    for (const bytes of cut(masked.subarray(0, length), ...ends)) {
      const part = new Frame(Opcode.Binary, bytes)
        .within(0, bytes.length, shiftMask(mask, offset), 'wire')
        .asPart(offset, length)
      frames.push(...(await through(codec, part)))
      offset += bytes.length
    }
    t.ok(inflate(frames).equals(plain.subarray(0, length)))
    t.equal(frames.filter(frame => frame.fin).length, 1)
    codec.close()
  }
})

t.test('a view of a larger buffer, and one that is not a Buffer', async t => {
  const memory = noise(2000)
  const codec = side(ALONE).outgoing()
  const inner = new Frame(Opcode.Binary, memory).within(500, 700, 0, 'application')
  t.ok(inflate(await through(codec, inner)).equals(memory.subarray(500, 1200)))
  const view = new Uint8Array(memory.buffer, memory.byteOffset + 100, 300)
  t.ok(inflate(await through(codec, new Frame(Opcode.Binary, view))).equals(memory.subarray(100, 400)))
  codec.close()
})

t.test('data that waits for the wire does not keep a larger buffer alive', async t => {
  const codec = side(ALONE).outgoing()
  for (const message of [json(200), json(10_000), Buffer.alloc(65_536), noise(65_536)]) {
    for (const { payload } of await send(codec, message)) {
      t.ok(payload.buffer.byteLength <= Math.max(8192, payload.length * 2), `${payload.length}`)
    }
  }
  codec.close()
})

t.test('incompressible data arrives, whatever the options of zlib', async t => {
  const large = noise(65_536)
  for (const windowBits of [9, 15]) {
    for (let memLevel = 1; memLevel <= 9; memLevel++) {
      for (const level of [0, 1, 6, 9]) {
        const codec = side({ ...ALONE, windowBits, memLevel, level }).outgoing()
        for (const size of [1, 127, 128, 1000, 16_384, 65_536]) {
          const bytes = large.subarray(0, size)
          if (!inflate(await send(codec, bytes)).equals(bytes)) t.fail(`${windowBits} ${memLevel} ${level} ${size}`)
        }
        codec.close()
      }
    }
  }
})

byBoth(
  'a prepared message is compressed once, and a receiver with context takeover reads the messages before and after it',
  async t => {
    const { server, client } = agree({ threshold: 0 })
    const prepared = new PreparedMessage(Opcode.Text, bytesOf(json(700)), true)
    const large = new PreparedMessage(Opcode.Binary, noise(70_000), true)
    const empty = new PreparedMessage(Opcode.Binary, Buffer.alloc(0), true)
    const codecs = [server.outgoing(), server.outgoing(), server.outgoing()]
    const receivers = codecs.map(() => new Receiver(client.incoming(NO_LIMIT)))
    const sent = new Set<Frame>()
    const messages: (string | PreparedMessage)[] = []
    for (let i = 0; i < 12; i++) {
      messages.push(
        json(700),
        json(300, i),
        prepared,
        json(700),
        json(900, 3),
        json(700),
        prepared,
        prepared,
        large,
        empty
      )
    }
    for (const [i, codec] of codecs.entries()) {
      for (const message of messages) {
        const frames = typeof message === 'string' ? await send(codec, message) : await through(codec, message.whole)
        if (typeof message !== 'string') for (const frame of frames) sent.add(frame)
        await receivers[i]!.take(frames)
      }
      const expected = messages.map(message => (typeof message === 'string' ? bytesOf(message) : message.payload))
      t.ok(
        receivers[i]!.messages.every((message, at) => bytesOf(message).equals(expected[at]!)),
        `receiver ${i}`
      )
      t.equal(receivers[i]!.messages.length, messages.length)
      codec.close()
    }
    t.equal(sent.size, 3, 'each was compressed once')
  }
)

byBoth('a message after a prepared one refers to nothing before it', async t => {
  const codec = side({ windowBits: 15, threshold: 0 }).outgoing()
  const text = json(2000)
  await send(codec, text)
  const again = (await send(codec, text))[0]!.size
  const prepared = new PreparedMessage(Opcode.Text, bytesOf('something else, which the window has not'), true)
  await through(codec, prepared.whole)
  const frames = await send(codec, text)
  t.equal(inflate(frames).toString(), text)
  t.ok(frames[0]!.size > again * 3)
  t.ok((await send(codec, text))[0]!.size < again * 2, 'but to what came after it')
  codec.close()
})

t.test('one compression serves all connections with the same parameters, and no others', async t => {
  const prepared = new PreparedMessage(Opcode.Text, bytesOf(json(5000)), true)
  const make = async (windowBits: number, contextTakeover: boolean, level = 6, memLevel = 5): Promise<Frame> => {
    const codec = side({ windowBits, contextTakeover, level, memLevel }).outgoing()
    const [frame] = await through(codec, prepared.whole)
    codec.close()
    return frame!
  }
  const first = await make(12, true)
  t.equal(await make(12, true), first)
  t.equal(await make(12, false), first, 'context is of no matter')
  const others = [await make(11, true), await make(12, true, 1), await make(12, true, 6, 8)]
  t.equal(new Set([first, ...others]).size, 4)
  for (const frame of others) t.equal(inflate([frame]).toString(), json(5000))
})

t.test('a prepared message that is small, or not to be compressed, is sent unchanged', async t => {
  const codec = side({ threshold: 100 }).outgoing()
  const plain = new PreparedMessage(Opcode.Text, bytesOf(json(500)), false)
  const small = new PreparedMessage(Opcode.Text, bytesOf(json(99)), true)
  for (const prepared of [plain, small]) t.same(await through(codec, prepared.whole), [prepared.whole])
  const without = side({}, { client_max_window_bits: 8 }).outgoing()
  const right = new PreparedMessage(Opcode.Text, bytesOf(json(500)), true)
  t.same(await through(without, right.whole), [right.whole])
  for (const one of [codec, without]) one.close()
})

byBoth('an idle connection releases its compressor, and the next message refers to nothing', async t => {
  const { server, client } = agree({ threshold: 0 })
  const codec = server.outgoing()
  const receiver = new Receiver(client.incoming(NO_LIMIT))
  const text = json(1000)
  await receiver.take(await send(codec, text))
  await receiver.take(await send(codec, text))
  for (let i = 0; i < 2; i++) idleSweeper.sweep()
  t.match(codec, { engine: null })
  const frames = await send(codec, text)
  t.equal(inflate(frames).toString(), text)
  await receiver.take(frames)
  t.same(receiver.messages, [text, text, text])
  codec.close()
})

t.test('inside a message it is not idle, and without context takeover it keeps no memory', async t => {
  const codec = side({}).outgoing()
  const frames = await through(codec, new Frame(Opcode.Binary, bytesOf(json(500)), false))
  const { engine } = codec as unknown as { engine: object }
  t.ok(engine)
  for (let i = 0; i < 3; i++) idleSweeper.sweep()
  t.match(codec, { engine }, 'it was not released')
  frames.push(...(await through(codec, new Frame(Opcode.Continuation, bytesOf(json(500)), true))))
  t.equal(inflate(frames).toString(), json(500) + json(500))
  codec.close()
  const free = side(ALONE).outgoing()
  await send(free, json(500))
  t.match(free, { engine: null })
})

t.test('a codec that is closed is no longer held for the next sweep', async t => {
  const codec = side({}).outgoing()
  const before = idleSweeper.size
  await send(codec, json(500))
  t.equal(idleSweeper.size, before + 1)
  codec.close()
  // the pool of engines may be held in its place
  t.equal((idleSweeper as unknown as { holders: Set<object> }).holders.has(codec), false)
})

byBoth('A27: closed with work in the thread pool it reports nothing more', async t => {
  const codec = side({}).outgoing()
  codec.push(new Frame(Opcode.Binary, noise(200_000)))
  codec.next()
  t.equal(codec.next(), null, 'asked again')
  codec.ready = () => t.fail('called')
  codec.close()
  codec.close()
  const other = side(ALONE).outgoing()
  t.ok(inflate(await send(other, noise(100_000))).equals(noise(100_000)))
  other.close()
})

t.test('a failure in the thread pool fails the connection, not the process', async t => {
  const codec = side({}).outgoing()
  codec.push(new Frame(Opcode.Binary, noise(200_000)))
  codec.next()
  const { engine } = codec as unknown as { engine: { handle: { onerror(message: string): void } } }
  engine.handle.onerror('out of memory')
  while (codec.busy) await new Promise(resolve => setImmediate(resolve))
  t.throws(() => codec.next(), { code: 'WS_ERR_EXTENSION', fault: 'local' })
  codec.close()
})

t.test('many messages in one turn do not block others, and stay in order', async t => {
  const { server } = agree({ ...ALONE, level: 9 })
  const bytes = noise(16_384)
  const codecs = Array.from({ length: 400 }, () => server.outgoing())
  const done: number[] = []
  let busy = 0
  const sent = codecs.map((codec, i) => {
    return new Promise<Frame>(resolve => {
      // like a stage: all output that is ready is taken first
      codec.ready = () => {
        done.push(i)
        resolve(codec.next()!)
      }
      codec.push(new Frame(Opcode.Binary, bytes))
      const frame = codec.next()
      if (codec.busy) busy++
      if (frame === null) return
      done.push(i)
      resolve(frame)
    })
  })
  t.ok(busy > 0, `${busy} wait`)
  const first = codecs.length - busy
  // a codec that is closed while it waits gets no callback
  const gone = server.outgoing()
  gone.push(new Frame(Opcode.Binary, bytes))
  t.equal(gone.next(), null)
  gone.ready = () => t.fail('called')
  gone.close()
  let turns = 0
  let counting = setImmediate(function count() {
    turns++
    counting = setImmediate(count)
  })
  const frames = await Promise.all(sent)
  clearImmediate(counting)
  t.ok(turns > 1, `${turns} turns behind the first ${first}`)
  t.ok(frames.every(frame => inflate([frame]).equals(bytes)))
  t.same(
    done,
    codecs.map((_, i) => i)
  )
  for (const codec of codecs) codec.close()
})
