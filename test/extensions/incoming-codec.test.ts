import { constants, createDeflateRaw } from 'node:zlib'
import t, { type Test } from 'tap'
import { idleSweeper } from '../../lib/extensions/idle-sweeper.js'
import { IncomingCodec } from '../../lib/extensions/incoming-codec.js'
import type { PermessageDeflateOptions } from '../../lib/extensions/permessage-deflate.js'
import { PIECE, slab } from '../../lib/extensions/zlib-slab.js'
import { Frame } from '../../lib/protocol/frame.js'
import { Opcode } from '../../lib/protocol/opcode.js'
import { codeOf } from '../protocol/ways.js'
import { binary, byteByByte, bytesOf, CONTINUATION, more, text, type WireFrame, wire } from '../support/frames.js'
import {
  BOTH,
  byBoth,
  compressed,
  deflate,
  deflateFinal,
  type Engines,
  fragments,
  json,
  NO_LIMIT,
  noise,
  Receiver,
  RSV1,
  side,
  through,
  useEngines
} from './codecs.js'

const TAKEOVER: Record<string, PermessageDeflateOptions> = {
  'with context taken over': {},
  without: { peerContextTakeover: false }
}

function receiver(options: PermessageDeflateOptions, maxMessageSize = NO_LIMIT, maxFragments = NO_LIMIT): Receiver {
  const answer = options.peerContextTakeover === false ? { server_no_context_takeover: true as const } : {}
  return new Receiver(side(options, answer).incoming(maxMessageSize), false, maxFragments)
}

const join = (...payloads: Buffer[]): Buffer => Buffer.concat(payloads)
const hex = (digits: string): Buffer => Buffer.from(digits.replaceAll(' ', ''), 'hex')

/** With streams each byte is a job in the thread pool, so a few are enough. */
function ways(frames: WireFrame[]): [(bytes: Buffer) => Buffer[], Engines][] {
  const isSmall = wire(false, ...frames).length < 1000
  return BOTH.flatMap((engines): [(bytes: Buffer) => Buffer[], Engines][] => [
    [bytes => [bytes], engines],
    ...(engines === 'handles' || isSmall ? [[byteByByte, engines] as [typeof byteByByte, Engines]] : [])
  ])
}

/** Frames that arrive in every way, and the messages in them. */
function arrives(
  t: Test,
  frames: WireFrame[],
  messages: (Buffer | string)[],
  only: keyof typeof TAKEOVER | '' = ''
): void {
  for (const [how, options] of Object.entries(TAKEOVER)) {
    if (only !== '' && only !== how) continue
    for (const [cut, engines] of ways(frames)) {
      t.test(`${how}, ${cut === byteByByte ? 'byte by byte' : 'whole'}, by ${engines}`, async t => {
        useEngines(t, engines)
        const reader = receiver(options)
        await reader.read(cut(wire(false, ...frames)))
        t.equal(reader.messages.length, messages.length)
        messages.forEach((message, i) => {
          t.ok(bytesOf(reader.messages[i]!).equals(bytesOf(message)), `message ${i}`)
        })
        reader.codec.close()
      })
    }
  }
}

const HELLO = hex('f2 48 cd c9 c9 07 00')
const HELLO_AGAIN = hex('f2 00 11 00 00')

t.test('the examples of RFC 7692 §7.2.3', async t => {
  t.test('one block, whole and in two fragments', async t => {
    arrives(t, [compressed(HELLO, Opcode.Text)], ['Hello'])
    arrives(t, fragments(HELLO.subarray(0, 3), HELLO.subarray(3)), [bytesOf('Hello')])
  })
  t.test('the window is shared', async t => {
    arrives(
      t,
      [compressed(HELLO), compressed(HELLO_AGAIN)],
      [bytesOf('Hello'), bytesOf('Hello')],
      'with context taken over'
    )
  })
  t.test('a block that is not compressed', async t => {
    arrives(t, [compressed(hex('00 05 00 fa ff 48 65 6c 6c 6f 00'))], [bytesOf('Hello')])
  })
  t.test('a final block', async t => {
    arrives(t, [compressed(hex('f3 48 cd c9 c9 07 00 00')), compressed(HELLO)], [bytesOf('Hello'), bytesOf('Hello')])
  })
  t.test('two blocks', async t => {
    arrives(t, [compressed(hex('f2 48 05 00 00 00 ff ff ca c9 c9 07 00'))], [bytesOf('Hello')])
  })
  t.test('an empty message', async t => {
    arrives(t, [compressed(hex('00')), compressed(HELLO)], [Buffer.alloc(0), bytesOf('Hello')])
  })
})

t.test('a message without a single byte is an empty one', async t => {
  const empty = Buffer.alloc(0)
  arrives(t, [compressed(empty), compressed(HELLO)], [empty, bytesOf('Hello')])
  arrives(t, [...fragments(empty, empty), compressed(HELLO)], [empty, bytesOf('Hello')])
})

t.test('empty fragments are allowed anywhere', async t => {
  const empty = Buffer.alloc(0)
  const parts = [empty, HELLO.subarray(0, 2), empty, empty, HELLO.subarray(2), empty]
  arrives(t, [...fragments(...parts), compressed(HELLO)], [bytesOf('Hello'), bytesOf('Hello')])
})

t.test('uncompressed messages may stand between compressed ones, and are not part of the window', async t => {
  const [one, two] = [bytesOf(json(400)), bytesOf(json(500))]
  const frames = [
    compressed(deflate(one)),
    text('plain'),
    binary(noise(40_000), false),
    more(HELLO),
    compressed(deflate(two, one))
  ]
  const expected = [one, 'plain', join(noise(40_000), HELLO), two]
  arrives(t, frames, expected, 'with context taken over')
})

t.test('data after a final block may refer to the window', async t => {
  const [one, two, three] = [bytesOf(json(3000)), bytesOf(json(5000)), bytesOf(json(700, 2))]
  const before = join(one, two)
  t.test('a block inside the message', async t => {
    arrives(t, [compressed(join(deflateFinal(one), deflate(two, one)))], [before])
  })
  t.test('several in a row', async t => {
    const many = Array.from({ length: 20 }, (_, i) => bytesOf(json(900, i)))
    const parts = many.map((bytes, i) => deflateFinal(bytes, join(...many.slice(0, i)).subarray(-32768)))
    arrives(t, [compressed(join(...parts, hex('00')))], [join(...many)])
    arrives(t, [...fragments(...parts, hex('00'))], [join(...many)])
  })
  t.test('one without content, between others', async t => {
    // three final blocks, the second empty, and one after them that ends in the tail
    arrives(t, [compressed(hex('0b03e8 03e8 0b0b0000 0bf2'))], [hex('56 5650 5248')])
  })
  t.test('at the end, with and without the byte that RFC 7692 §7.2.3.4 puts there', async t => {
    const next = compressed(deflate(three, before))
    const parts = join(deflateFinal(one), deflateFinal(two, one))
    for (const end of [parts, join(parts, hex('00'))]) {
      arrives(t, [compressed(end), next], [before, three], 'with context taken over')
      arrives(t, [compressed(end), compressed(deflate(three))], [before, three], 'without')
    }
  })
  t.test('in the message after it', async t => {
    const frames = [compressed(deflate(one)), compressed(join(deflateFinal(two, one), hex('00')))]
    arrives(t, [...frames, compressed(deflate(three, before))], [one, two, three], 'with context taken over')
  })
  t.test('beyond a window', async t => {
    const large = join(noise(50_000), noise(50_000, 2))
    const last = large.subarray(-32768)
    const rest = join(last.subarray(0, 20_000), last.subarray(-5000))
    const frames = [compressed(join(deflateFinal(large), hex('00'))), compressed(deflate(rest, last))]
    arrives(t, frames, [large, rest], 'with context taken over')
    arrives(t, [compressed(join(deflateFinal(large), deflate(rest, last)))], [join(large, rest)])
  })
  t.test('exactly at the end of a piece of memory', async t => {
    const zeros = Buffer.alloc(65536 * 4)
    arrives(t, [compressed(join(deflateFinal(zeros), deflate(one)))], [join(zeros, one)])
  })
})

const BAD: Record<string, Buffer> = {
  'a block of the reserved type': hex('07'),
  'a distance beyond all there is': HELLO_AGAIN,
  'a stored block whose lengths differ': hex('00 05 00 00 00'),
  'what follows a final block': join(deflateFinal(bytesOf(json(50))), hex('ff ff ff')),
  'much of it': join(hex('07'), noise(100_000))
}

for (const [what, payload] of Object.entries(BAD)) {
  byBoth(`malformed data fails with 1007: ${what}`, async t => {
    for (const options of Object.values(TAKEOVER)) {
      for (const cut of payload.length < 1000 ? [(bytes: Buffer) => [bytes], byteByByte] : [(b: Buffer) => [b]]) {
        const reader = receiver(options)
        await reader.read(cut(wire(false, compressed(HELLO))))
        if (what.startsWith('a distance') && options.peerContextTakeover !== false) return
        await t.rejects(reader.read(cut(wire(false, compressed(payload)))), {
          code: 'WS_ERR_INVALID_COMPRESSED_DATA',
          closeCode: 1007,
          fault: 'peer'
        })
        t.throws(() => reader.codec.next(), { code: 'WS_ERR_INVALID_COMPRESSED_DATA' }, 'and nothing comes after it')
        reader.codec.close()
        // a failed engine is not reused
        const other = receiver(options)
        await other.read([wire(false, compressed(HELLO))])
        t.same(other.messages, [bytesOf('Hello')])
      }
    }
  })
}

t.test('a new message inside another fails, and so does a fragment outside of one', async t => {
  const reader = receiver({})
  const error = await reader
    .read([wire(false, ...fragments(HELLO, HELLO).slice(0, 1), compressed(HELLO))])
    .catch(codeOf)
  t.equal(error, 'WS_ERR_EXPECTED_CONTINUATION')
  const other = receiver({})
  t.equal(await other.read([wire(false, more('a'))]).catch(codeOf), 'WS_ERR_UNEXPECTED_CONTINUATION')
})

t.test('other reserved bits are kept', async t => {
  const codec = side({}).incoming(NO_LIMIT)
  const [piece] = await through(codec, new Frame(Opcode.Binary, HELLO, true, 7))
  t.equal(piece!.rsv, 3)
  t.equal(piece!.payload.toString(), 'Hello')
})

t.test('the bytes of a text payload are used', async t => {
  const codec = side({}).incoming(NO_LIMIT)
  const [piece] = await through(codec, new Frame(Opcode.Text, '\u0000', true, RSV1))
  t.same([piece!.size, piece!.length, piece!.complete], [0, 0, true])
})

t.test('fragments are counted as on the wire, however many pieces are made of them', async t => {
  const payload = deflate(Buffer.alloc(2 ** 20))
  const parts = [payload.subarray(0, 400), payload.subarray(400, 800), payload.subarray(800)]
  for (const cut of [(bytes: Buffer) => [bytes], byteByByte]) {
    const reader = receiver({}, NO_LIMIT, 3)
    await reader.read(cut(wire(false, ...fragments(...parts))))
    t.equal(reader.messages.length, 1)
    t.ok(reader.pieces.length > 3)
    const fewer = receiver({}, NO_LIMIT, 2)
    t.equal(await fewer.read(cut(wire(false, ...fragments(...parts)))).catch(codeOf), 'WS_ERR_TOO_MANY_FRAGMENTS')
  }
})

t.test('pieces have a maximum size, and nothing is inflated before it is requested', async t => {
  const codec = side({}).incoming(NO_LIMIT)
  codec.push(new Frame(Opcode.Binary, deflate(Buffer.alloc(2 ** 24)), true, RSV1))
  let offset = 0
  let pieces = 0
  for (let frame = codec.next(); frame !== null; frame = codec.next()) {
    pieces++
    t.equal(frame.offset, offset)
    t.equal(frame.first, offset === 0)
    offset += frame.size
    if (frame.size > 65536) t.fail('too large')
    if (offset < 2 ** 24) t.equal(frame.length, -1)
    else if (frame.complete) t.equal(frame.length, 2 ** 24)
  }
  t.equal(offset, 2 ** 24)
  t.ok(pieces >= 2 ** 24 / 65536)
})

byBoth('A02: the limit applies while inflating, over the fragments of one message', async t => {
  const size = 200_000
  const random = noise(size)
  const payloads: Record<string, Buffer[]> = {
    'one frame': [deflate(Buffer.alloc(size))],
    'one frame that does not shrink': [deflate(random)],
    fragments: [deflate(random).subarray(0, 100_000), deflate(random).subarray(100_000)],
    'final blocks': [deflateFinal(random.subarray(0, 100_000)), deflate(random.subarray(100_000))]
  }
  for (const [what, parts] of Object.entries(payloads)) {
    for (const options of Object.values(TAKEOVER)) {
      const frames = fragments(...parts)
      const right = receiver(options, size)
      await right.read([wire(false, ...frames, ...frames)])
      t.same(
        right.messages.map(message => message.length),
        [size, size],
        `${what}: the limit itself, for each message`
      )
      for (const limit of [size - 1, 70_000, 1, 0]) {
        const reader = receiver(options, limit)
        await t.rejects(reader.read([wire(false, ...frames)]), { code: 'WS_ERR_MESSAGE_TOO_LARGE', closeCode: 1009 })
        const made = reader.pieces.reduce((sum, piece) => sum + piece, 0)
        t.ok(made <= limit, `${what}: ${made} of ${limit} bytes were handed on`)
        reader.codec.close()
      }
    }
  }
})

t.test('an empty message passes while everything else waits', async t => {
  const reader = receiver({}, 0)
  await reader.read([wire(false, compressed(hex('00')))])
  t.same(reader.messages, [Buffer.alloc(0)])
})

byBoth('large input goes to the thread pool, in order', async t => {
  const codec = side({}).incoming(NO_LIMIT)
  const large = noise(100_000)
  codec.push(new Frame(Opcode.Binary, deflate(large), true, RSV1))
  t.equal(codec.next(), null)
  t.equal(codec.busy, true)
  t.equal(codec.next(), null, 'asked again')
  await new Promise<void>(resolve => {
    codec.ready = resolve
  })
  t.equal(codec.busy, false)
  codec.ready = null
  const pieces: Buffer[] = []
  for (;;) {
    for (let frame = codec.next(); frame !== null; frame = codec.next()) pieces.push(frame.payload)
    if (!codec.busy) break
    await new Promise<void>(resolve => {
      codec.ready = resolve
    })
  }
  t.ok(Buffer.concat(pieces).equals(large))
  codec.close()
})

t.test('a listener for the end of the work is optional', async t => {
  const codec = side({}).incoming(NO_LIMIT)
  codec.push(new Frame(Opcode.Binary, deflate(noise(50_000)), true, RSV1))
  codec.next()
  while (codec.busy) await new Promise(resolve => setImmediate(resolve))
  t.ok(codec.next())
  codec.close()
})

byBoth('A02: a bomb takes no memory beyond the limit', async t => {
  const bomb = deflate(Buffer.alloc(2 ** 26))
  const limit = 2 ** 20
  const reader = receiver({}, limit)
  const { arrayBuffers: before } = process.memoryUsage()
  await t.rejects(reader.read([wire(false, compressed(bomb))]), { code: 'WS_ERR_MESSAGE_TOO_LARGE' })
  const { arrayBuffers: after } = process.memoryUsage()
  t.ok(after - before < 8 * limit, `${after - before} bytes more than before`)
  reader.codec.close()
})

byBoth('A27: closed with work in the thread pool it reports nothing more, with valid and malformed data', async t => {
  for (const payload of [deflate(noise(100_000)), BAD['much of it']!]) {
    const codec = side({}).incoming(NO_LIMIT)
    codec.push(new Frame(Opcode.Binary, payload, true, RSV1))
    codec.next()
    t.equal(codec.busy, true)
    codec.ready = () => t.fail('called')
    codec.close()
    codec.close()
    // the next message has to wait for that work
    const other = receiver({})
    await other.read([wire(false, compressed(deflate(noise(100_000))))])
    t.equal(other.messages.length, 1)
  }
})

byBoth('between messages a connection keeps its window and nothing else', async t => {
  const [one, two] = [bytesOf(json(5000)), bytesOf(json(6000, 3))]
  const reader = receiver({})
  await reader.read([wire(false, compressed(deflate(one)))])
  const { engine, history } = reader.codec as unknown as { engine: unknown; history: { memory: number } }
  t.equal(engine, null)
  t.equal(history.memory, one.length)
  for (let i = 0; i < 2; i++) idleSweeper.sweep()
  await reader.read([wire(false, compressed(deflate(two, one)))])
  t.same(reader.messages, [one, two])
  reader.codec.close()
})

t.test('a frame of final blocks only costs little more than as many messages', async t => {
  // the empty block of fixed codes, final: ten bits, and the rest of the second byte
  const blocks = (count: number): Buffer => Buffer.alloc(count * 2, hex('03 00'))
  for (const options of Object.values(TAKEOVER)) {
    const reader = receiver(options)
    await reader.read([wire(false, compressed(deflate(noise(40_000))))])
    const started = process.cpuUsage()
    await reader.read([wire(false, compressed(join(blocks(32_768), deflate(bytesOf('end')))))])
    const { user, system } = process.cpuUsage(started)
    t.same(reader.messages[1], bytesOf('end'))
    t.ok(user + system < 500_000, `${Math.round((user + system) / 1000)} ms for 64 KiB`)
    reader.codec.close()
  }
})

byBoth('a large payload continues after a final block', async t => {
  const [one, two] = [noise(50_000), noise(150_000, 2)]
  for (const options of Object.values(TAKEOVER)) {
    const reader = receiver(options)
    await reader.read([wire(false, compressed(join(deflateFinal(one), deflate(two))))])
    t.ok(bytesOf(reader.messages[0]!).equals(join(one, two)))
    reader.codec.close()
  }
})

t.test('without context takeover it keeps no memory', async t => {
  const payload = deflate(bytesOf(json(5000)))
  const reader = receiver({ peerContextTakeover: false })
  await reader.read([wire(false, ...fragments(payload.subarray(0, 100), payload.subarray(100)))])
  t.same(reader.messages, [bytesOf(json(5000))])
  t.match(reader.codec, { engine: null, history: null })
})

t.test('the smallest window, as zlib makes it', async t => {
  const codec = side({}, { server_max_window_bits: 8 }).incoming(NO_LIMIT)
  t.ok(codec instanceof IncomingCodec)
  const deflater = createDeflateRaw({ windowBits: 9, flush: constants.Z_SYNC_FLUSH })
  const reader = new Receiver(codec)
  for (const message of [noise(400), noise(700, 2), Buffer.concat([noise(400), noise(400)])]) {
    const payload = await new Promise<Buffer>(resolve => {
      const parts: Buffer[] = []
      deflater.on('data', part => parts.push(part))
      deflater.write(message, () => setImmediate(() => resolve(Buffer.concat(parts))))
    })
    deflater.removeAllListeners('data')
    await reader.read([wire(false, { ...compressed(payload.subarray(0, -4)), opcode: Opcode.Binary })])
    t.ok(bytesOf(reader.messages.at(-1)!).equals(message))
  }
  t.equal(CONTINUATION, Opcode.Continuation)
})

t.test('a message that fills the memory behind that of another connection leaves it alone', async t => {
  useEngines(t, 'handles')
  slab.bytes = Buffer.alloc(0)
  slab.used = 0
  const waiting = 'ten bytes!'
  const first = receiver({})
  const [piece] = await through(first.codec, new Frame(Opcode.Binary, deflate(bytesOf(waiting)), true, RSV1))
  const second = receiver({})
  const filler = Buffer.alloc(PIECE - waiting.length, 'x')
  await second.read([wire(false, compressed(deflate(filler)))])
  t.ok((second.messages[0] as Buffer).equals(filler))
  t.equal(String(piece!.payload), waiting)
  first.codec.close()
  second.codec.close()
})
