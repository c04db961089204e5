import t from 'tap'
import { Frame } from '../../lib/protocol/frame.js'
import { FrameParser } from '../../lib/protocol/frame-parser.js'
import { FrameWriter } from '../../lib/protocol/frame-writer.js'
import { MessageJoiner } from '../../lib/protocol/message-joiner.js'
import { isControl, Opcode } from '../../lib/protocol/opcode.js'
import { giveBack } from '../../lib/protocol/output-memory.js'
import {
  binary,
  bytesOf,
  cut,
  describe,
  header,
  more,
  pattern,
  ping,
  pong,
  random,
  readWire,
  text,
  type WireFrame,
  wire
} from '../support/frames.js'

const ROLES: Record<string, { masked: boolean; toSocket: boolean }> = {
  'a server': { masked: false, toSocket: false },
  'a client': { masked: true, toSocket: false },
  'a server over a socket': { masked: false, toSocket: true },
  'a client over a socket': { masked: true, toSocket: true }
}
const SIZES = [0, 1, 24, 25, 63, 64, 125, 126, 127, 1000, 8191, 8192, 8193, 65535, 65536, 65537, 200_000]

const frameOf = ({ opcode, payload, fin, rsv }: WireFrame, size = payload.length, offset = 0): Frame =>
  new Frame(opcode as Opcode, payload, fin, rsv).asPart(offset, size)

function written(writer: FrameWriter, ...frames: Frame[]): Buffer {
  for (const frame of frames) writer.add(frame)
  return take(writer)
}

/** All waiting output, whose length must be what the writer reports. */
function take(writer: FrameWriter): Buffer {
  const { size } = writer
  const taken: Buffer[] = []
  do taken.push(...takeSome(writer))
  while (writer.size > 0)
  const bytes = Buffer.concat(taken)
  if (bytes.length !== size) throw new Error(`${bytes.length} bytes came, and ${size} had been announced`)
  return bytes
}

/** Each output at once, as a socket takes it: its memory is reused as soon as it is written. */
function takeSome(writer: FrameWriter): Buffer[] {
  const buffers = writer.take()
  const copies = buffers.map(each => Buffer.from(each))
  if (!writer.borrows || buffers.length === 0) return copies
  giveBack(buffers[0]!, true)
  return copies
}

const names = (bytes: Buffer): string[] => readWire(bytes).map(describe)

for (const [who, { masked, toSocket }] of Object.entries(ROLES)) {
  const makeWriter = (): FrameWriter => {
    const writer = new FrameWriter(masked)
    writer.toSocket = writer.borrows = toSocket
    return writer
  }

  /** The expected bytes on the wire, for the masks that were drawn. */
  const reference = (bytes: Buffer, frames: WireFrame[]): Buffer => {
    const read = readWire(bytes)
    return wire(masked, ...frames.map((frame, i) => (masked ? { ...frame, mask: read[i]!.mask! } : frame)))
  }

  t.test(`${who} writes binary frames of every size in the shortest form of RFC 6455 §5.2`, async t => {
    for (const size of SIZES) {
      const frame = binary(pattern(size), size % 2 === 0)
      const bytes = written(makeWriter(), frameOf(frame))
      t.ok(bytes.equals(reference(bytes, [frame])), `${size} bytes`)
      t.same(frame.payload, pattern(size), 'and leaves the bytes of the application alone')
    }
  })

  t.test(`${who} writes text frames of every size, ASCII or not`, async t => {
    for (const size of SIZES) {
      for (const said of ['x'.repeat(size), '\u00fc'.repeat(size >> 1), `${'x'.repeat(size)}\u{1f600}`]) {
        const bytes = written(makeWriter(), new Frame(Opcode.Text, said))
        t.ok(bytes.equals(reference(bytes, [text(said)])), `${size} bytes or so`)
      }
    }
  })

  t.test(`${who} writes every opcode, FIN and reserved bit`, async t => {
    for (const opcode of Object.values(Opcode)) {
      for (const fin of [true, false]) {
        for (let rsv = 0; rsv < 8; rsv++) {
          const frame: WireFrame = { opcode, payload: Buffer.from('ab'), fin, rsv }
          const bytes = written(makeWriter(), frameOf(frame))
          if (!bytes.equals(reference(bytes, [frame]))) t.fail(describe(frame))
        }
      }
    }
    t.pass('all of them')
  })

  t.test(`${who} writes a part of a chunk, masked or not`, async t => {
    const chunk = Buffer.concat([Buffer.from('ahead'), pattern(100), Buffer.from('behind')])
    const frame = new Frame(Opcode.Binary, chunk).within(5, 100, 0, 'application')
    const bytes = written(makeWriter(), frame)
    t.ok(bytes.equals(reference(bytes, [binary(pattern(100))])))
    const masking = Buffer.from('01020304', 'hex')
    const inbound = wire(true, { ...binary(pattern(9000)), mask: masking })
    const relayed = new Frame(Opcode.Binary, inbound).within(8, 9000, masking.readInt32LE(0), 'wire')
    const again = written(makeWriter(), relayed)
    t.ok(again.equals(reference(again, [binary(pattern(9000))])), 'a masked frame of another connection')
    const asked = new Frame(Opcode.Text, 'gr\u00fc\u00df')
    t.same(asked.payload, Buffer.from('gr\u00fc\u00df'))
    t.same(
      names(written(makeWriter(), asked)),
      [describe(text('gr\u00fc\u00df'))],
      'text whose bytes somebody has asked for'
    )
  })

  t.test(`${who} writes many small frames as one buffer`, async t => {
    const writer = makeWriter()
    const frames = Array.from({ length: 100 }, (_, i) => (i % 2 ? text(`message ${i}`) : binary(pattern(i))))
    for (const frame of frames) writer.add(frameOf(frame))
    const buffers = takeSome(writer)
    t.equal(buffers.length, 1)
    t.ok(buffers[0]!.equals(reference(buffers[0]!, frames)))
  })

  t.test(`${who} has nothing to write at first, nor after everything was taken`, async t => {
    const writer = makeWriter()
    t.equal(writer.size, 0)
    t.same(writer.take(), [])
    writer.add(new Frame(Opcode.Text, 'a'))
    t.equal(writer.size, masked ? 7 : 3)
    t.equal(take(writer).length, masked ? 7 : 3)
    t.equal(writer.size, 0)
    t.same(writer.take(), [])
    writer.addUrgent(new Frame(Opcode.Ping, ''))
    t.same(names(take(writer)), ['ping'], 'and goes on')
  })

  t.test(`${who} puts control frames ahead of waiting data, in their own order`, async t => {
    const writer = makeWriter()
    writer.add(frameOf(text('a')))
    writer.addUrgent(frameOf(ping('1')))
    writer.add(frameOf(binary(pattern(9000))))
    writer.addUrgent(frameOf(pong('2')))
    t.same(names(take(writer)), [ping('1'), pong('2'), text('a'), binary(pattern(9000))].map(describe))
    writer.add(frameOf(text('b')))
    writer.addUrgent(frameOf(ping('3')))
    t.same(names(take(writer)), [ping('3'), text('b')].map(describe), 'and so the next time')
  })

  t.test(`${who} puts control frames between fragments of a message`, async t => {
    const writer = makeWriter()
    writer.add(frameOf(text('a', false)))
    const first = take(writer)
    writer.add(frameOf(more('b')))
    writer.addUrgent(frameOf(ping('1')))
    t.same(names(Buffer.concat([first, take(writer)])), [text('a', false), ping('1'), more('b')].map(describe))
  })

  t.test(`${who} replaces a waiting frame, and no other`, async t => {
    const writer = makeWriter()
    const old = frameOf(pong('old'))
    writer.add(frameOf(text('a')))
    writer.addUrgent(frameOf(ping('1')))
    writer.addUrgent(old)
    t.ok(writer.replace(old, frameOf(pong('new one'))))
    t.notOk(writer.replace(old, frameOf(pong('another'))), 'it waits no more')
    t.same(names(take(writer)), [ping('1'), pong('new one'), text('a')].map(describe))
    t.notOk(writer.replace(old, frameOf(pong('late'))), 'it has gone')
    t.equal(writer.size, 0)
  })

  t.test(`${who} writes a frame in parts under one header`, async t => {
    for (const size of [0, 1, 5, 126, 300, 20_000, 70_000, 300_000]) {
      for (const ends of [[0], [size], [0, size], [size >> 1], [size >> 2, size >> 1], [0, size >> 1, size]]) {
        for (const atOnce of [true, false]) {
          const writer = makeWriter()
          const taken: Buffer[] = []
          for (const part of partsOf(size, ends)) {
            writer.add(part)
            if (!atOnce) taken.push(take(writer))
          }
          taken.push(take(writer))
          const bytes = Buffer.concat(taken)
          const how = `${size} bytes cut at ${ends}, ${atOnce ? 'all at once' : 'one by one'}`
          t.ok(bytes.equals(reference(bytes, [binary(pattern(size))])), how)
        }
      }
    }
  })

  // a frame added while another is written in parts
  const [start, middle, end] = partsOf(30, [10, 20]) as [Frame, Frame, Frame]
  const whole = describe(binary(pattern(30)))

  t.test(`${who} puts control frames ahead of a frame in parts that has not begun`, async t => {
    const writer = makeWriter()
    for (const part of [start, middle]) writer.add(part)
    writer.addUrgent(frameOf(ping('1')))
    writer.add(end)
    t.same(names(take(writer)), [describe(ping('1')), whole])
  })

  t.test(`${who} puts control frames after a frame in parts whose last part waits, in their own order`, async t => {
    const writer = makeWriter()
    writer.add(start)
    const taken = [take(writer)]
    for (const part of [middle, end]) writer.add(part)
    writer.add(frameOf(text('next')))
    writer.addUrgent(frameOf(ping('1')))
    writer.addUrgent(frameOf(pong('2')))
    taken.push(take(writer))
    t.same(names(Buffer.concat(taken)), [whole, ...[ping('1'), pong('2'), text('next')].map(describe)])
  })

  t.test(`${who} keeps control frames back until the last part of a frame comes`, async t => {
    const writer = makeWriter()
    writer.add(start)
    const taken = [take(writer)]
    writer.addUrgent(frameOf(ping('1')))
    writer.add(middle)
    writer.addUrgent(frameOf(pong('2')))
    writer.add(end)
    writer.add(frameOf(text('next')))
    taken.push(take(writer))
    t.same(names(Buffer.concat(taken)), [whole, ...[ping('1'), pong('2'), text('next')].map(describe)])
    writer.addUrgent(frameOf(ping('3')))
    writer.add(frameOf(text('last')))
    t.same(names(take(writer)), [ping('3'), text('last')].map(describe), 'and then goes on as ever')
  })

  t.test(`${who} keeps control frames back even if the parts before the last are taken meanwhile`, async t => {
    const writer = makeWriter()
    writer.add(start)
    const taken = takeSome(writer)
    writer.addUrgent(frameOf(ping('1')))
    taken.push(take(writer))
    t.equal(Buffer.concat(taken).length, 10 + header(masked, binary(pattern(30))).length, 'nothing comes out of turn')
    writer.add(middle)
    taken.push(take(writer))
    t.equal(Buffer.concat(taken).length, 20 + header(masked, binary(pattern(30))).length, 'nor along with a part')
    writer.add(end)
    taken.push(take(writer))
    const bytes = Buffer.concat(taken)
    const expected = [binary(pattern(30)), ping('1')]
    t.equal(bytes.length, wire(masked, ...expected).length, 'and every byte is there')
    t.same(names(bytes), expected.map(describe))
  })

  t.test(`A08: ${who} writes only its frames while a control frame is kept back`, async t => {
    const writer = makeWriter()
    writer.add(start)
    const taken = takeSome(writer)
    const before = Buffer.concat(taken).length
    writer.addUrgent(frameOf(ping('kept back')))
    writer.add(middle)
    taken.push(take(writer))
    t.equal(Buffer.concat(taken).length - before, 10, 'a part of ten bytes is ten bytes on the wire')
  })

  t.test(`${who} replaces a control frame that is kept back as well`, async t => {
    const writer = makeWriter()
    writer.add(start)
    const taken = takeSome(writer)
    const old = frameOf(pong('old'))
    writer.addUrgent(old)
    t.ok(writer.replace(old, frameOf(pong('new'))), 'A12: else a pong is kept for every ping')
    for (const part of [middle, end]) writer.add(part)
    taken.push(take(writer))
    t.same(names(Buffer.concat(taken)), [whole, describe(pong('new'))])
  })

  t.test(`${who}: written frames are read again, over random frames, parts and takes`, async t => {
    const next = random(1002)
    const integer = (below: number): number => Math.floor(next() * below)
    for (let round = 0; round < 100; round++) {
      const writer = makeWriter()
      const sent: WireFrame[] = []
      const buffers: Buffer[] = []
      for (let i = 1 + integer(8); i > 0; i--) {
        const size = Math.floor(next() ** 3 * 400_000)
        const isText = next() < 0.5
        const frame = isText ? text('\u00e9x'.repeat(size >> 2)) : binary(pattern(size))
        sent.push(frame)
        const parts =
          next() < 0.4
            ? partsOf(
                size,
                [integer(size), size].slice(integer(2)).sort((a, b) => a - b)
              )
            : null
        if (isText) writer.add(new Frame(Opcode.Text, frame.payload.toString()))
        else for (const part of parts ?? [frameOf(frame)]) writer.add(part)
        if (next() < 0.3) buffers.push(take(writer))
      }
      buffers.push(take(writer))
      const bytes = Buffer.concat(buffers)
      const cuts = Array.from({ length: integer(9) }, () => integer(bytes.length)).sort((a, b) => a - b)
      const parser = new FrameParser({ masked, maxFrameSize: 2 ** 20 })
      const joiner = new MessageJoiner({ maxMessageSize: 2 ** 20, maxFragments: 1 })
      const messages: Buffer[] = []
      for (const chunk of cut(bytes, ...cuts)) {
        parser.push(chunk, false)
        for (let frame = parser.next(); frame !== null; frame = parser.next()) {
          const message = isControl(frame.opcode) ? null : joiner.add(frame)
          if (message !== null) messages.push(bytesOf(message))
        }
      }
      const right = messages.length === sent.length && messages.every((message, i) => message.equals(sent[i]!.payload))
      if (!right) t.fail(`round ${round}`)
    }
    t.pass('100 rounds')
  })
}

/** The parts of one binary frame, cut at `ends`. */
function partsOf(size: number, ends: number[]): Frame[] {
  let offset = 0
  return cut(pattern(size), ...ends).map((part, i) => {
    const frame = new Frame(Opcode.Binary, part).asPart(offset, size)
    // after an empty first part a decoder reports that the next one is not the first
    frame.first = i === 0
    offset += part.length
    return frame
  })
}

t.test('over a socket, a client masks only as much of a large payload at a time as there is memory for', async t => {
  const writer = new FrameWriter(true)
  writer.toSocket = writer.borrows = true
  const payload = pattern(1_000_000)
  writer.add(new Frame(Opcode.Ping, 'first'))
  writer.add(new Frame(Opcode.Binary, payload))
  writer.add(new Frame(Opcode.Text, 'last'))
  t.match(writer, { count: 3, messages: 2 })
  const taken: Buffer[] = []
  while (writer.size > 0) {
    taken.push(...takeSome(writer))
    t.ok(taken.at(-1)!.length <= 131_072)
    // a Pong never comes between the pieces
    if (taken.length === 3) writer.addUrgent(new Frame(Opcode.Pong, 'meanwhile'))
  }
  const frames = readWire(Buffer.concat(taken))
  t.same(
    frames.map(frame => frame.opcode),
    [Opcode.Ping, Opcode.Binary, Opcode.Pong, Opcode.Text]
  )
  t.ok(frames[1]!.payload.equals(payload))
})

t.test('the examples of RFC 6455 §5.7 are written', async t => {
  t.equal(written(new FrameWriter(false), new Frame(Opcode.Text, 'Hello')).toString('hex'), '810548656c6c6f')
  t.equal(written(new FrameWriter(false), new Frame(Opcode.Ping, 'Hello')).toString('hex'), '890548656c6c6f')
  const fragments = [new Frame(Opcode.Text, 'Hel', false), new Frame(Opcode.Continuation, 'lo')]
  t.equal(written(new FrameWriter(false), ...fragments).toString('hex'), '010348656c80026c6f')
  t.equal(
    written(new FrameWriter(false), new Frame(Opcode.Binary, Buffer.alloc(256)))
      .subarray(0, 4)
      .toString('hex'),
    '827e0100'
  )
  t.equal(
    written(new FrameWriter(false), new Frame(Opcode.Binary, Buffer.alloc(65536)))
      .subarray(0, 10)
      .toString('hex'),
    '827f0000000000010000'
  )
})

t.test('a header announces lengths up to 2^53-1', async t => {
  const length = Number.MAX_SAFE_INTEGER
  const bytes = written(new FrameWriter(false), new Frame(Opcode.Binary, Buffer.from('x')).asPart(0, length))
  t.equal(bytes.toString('hex'), '827f001fffffffffffff78')
})

t.test('a server writes a large payload to a socket without a copy, between buffers of small frames', async t => {
  const writer = new FrameWriter(false)
  writer.toSocket = true
  const [first, second] = [pattern(32_768), pattern(100_000)]
  const frames = [text('a'), binary(first), binary(second), text('b'), text('c')]
  for (const frame of frames) writer.add(frame === frames[1] ? new Frame(Opcode.Binary, first) : frameOf(frame))
  const buffers = writer.take()
  t.same(
    buffers.map(buffer => buffer.length),
    [3 + 4, 32_768, 10, 100_000, 6]
  )
  t.equal(buffers[1]!.buffer, first.buffer, 'the same memory')
  t.equal(buffers[1]!.byteOffset, first.byteOffset)
  t.same(names(Buffer.concat(buffers)), frames.map(describe))
})

t.test('a server copies a payload below 32,768 bytes, and text of any size', async t => {
  const writer = new FrameWriter(false)
  writer.toSocket = true
  writer.add(new Frame(Opcode.Binary, pattern(32_767)))
  writer.add(new Frame(Opcode.Text, 'x'.repeat(40_000)))
  t.equal(writer.take().length, 1)
})

t.test('a server writes the large parts of a frame to a socket without a copy', async t => {
  const writer = new FrameWriter(false)
  writer.toSocket = true
  for (const part of partsOf(120_000, [40_000, 80_000])) writer.add(part)
  const buffers = writer.take()
  t.same(
    buffers.map(buffer => buffer.length),
    [10, 40_000, 40_000, 40_000]
  )
  t.same(names(Buffer.concat(buffers)), [describe(binary(pattern(120_000)))])
})

t.test('A18: a client draws a new mask for each frame', async t => {
  const frames = Array.from({ length: 5000 }, () => new Frame(Opcode.Text, 'same'))
  const masks = readWire(written(new FrameWriter(true), ...frames)).map(({ mask }) => mask!.toString('hex'))
  t.equal(masks.length, 5000)
  t.ok(new Set(masks).size > 4995, `${new Set(masks).size} different masks`)
})

t.test('a server does not mask', async t => {
  t.ok(
    readWire(written(new FrameWriter(false), new Frame(Opcode.Text, 'a'), new Frame(Opcode.Ping, 'b'))).every(
      ({ mask }) => mask === null
    )
  )
})

for (const lost of [20, 40_000]) {
  t.test(`frames before one of ${lost} bytes whose memory was transferred are written, uncopied ones too`, async t => {
    const writer = new FrameWriter(false)
    writer.toSocket = true
    const memory = new Uint8Array(lost)
    const frames = [
      new Frame(Opcode.Binary, Buffer.alloc(50_000, 1)),
      new Frame(Opcode.Text, 'before'),
      new Frame(Opcode.Binary, memory),
      new Frame(Opcode.Text, 'behind')
    ]
    for (const frame of frames) writer.add(frame)
    structuredClone(memory, { transfer: [memory.buffer] })
    t.same(
      readWire(Buffer.concat(writer.take())).map(({ payload }) => payload.length),
      [50_000, 6]
    )
    t.match(writer.failure, { code: 'WS_ERR_MEMORY_TRANSFERRED' })
    t.equal(writer.dataTaken, 2)
    t.equal(writer.size, 0)
    t.same(writer.take(), [])
  })
}
