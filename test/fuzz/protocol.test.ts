import fc from 'fast-check'
import t from 'tap'
import { readCloseBody, writeCloseBody } from '../../lib/protocol/close-code.js'
import { Frame } from '../../lib/protocol/frame.js'
import { FrameParser } from '../../lib/protocol/frame-parser.js'
import { FrameWriter } from '../../lib/protocol/frame-writer.js'
import { applyMask, shiftMask } from '../../lib/protocol/mask.js'
import { type Message, MessageJoiner } from '../../lib/protocol/message-joiner.js'
import { FrameCutter, frameOf } from '../../lib/protocol/message-splitter.js'
import { isControl, Opcode } from '../../lib/protocol/opcode.js'
import { PreparedMessage } from '../../lib/protocol/prepared-message.js'
import { checkUtf8 } from '../../lib/protocol/utf8.js'
import { readWire, wire } from '../support/frames.js'
import { bytes, conversation, cutAt, cuts, damagedWire, message, messages } from './arbitraries.js'
import { holds } from './properties.js'
import { frameParser, joiner } from './targets/frames.js'

const NO_LIMIT = { maxFrameSize: 2 ** 40, maxMessageSize: 2 ** 40, maxFragments: 2 ** 40 }

/** What a reader returns for valid chunks. */
function read(masked: boolean, chunks: Buffer[], owned = false): { messages: Message[]; controls: Buffer[] } {
  const parser = new FrameParser({ masked, ...NO_LIMIT })
  const joiner = new MessageJoiner(NO_LIMIT)
  const messages: Message[] = []
  const controls: Buffer[] = []
  for (const chunk of chunks) {
    parser.push(chunk, owned)
    for (let frame = parser.next(); frame !== null; frame = parser.next()) {
      if (isControl(frame.opcode)) controls.push(Buffer.concat([Buffer.from([frame.opcode]), frame.payload]))
      else {
        const message = joiner.add(frame)
        if (message !== null) messages.push(message)
      }
    }
  }
  return { messages, controls }
}

const asBytes = (message: Message): string => `${typeof message} ${Buffer.from(message as string).toString('hex')}`

function mustEqual(got: readonly Message[], wanted: readonly Message[], what: string): void {
  const [one, two] = [got, wanted].map(list => list.map(asBytes).join('\n'))
  if (one !== two) throw new Error(`${what}: ${got.length} of ${wanted.length}`)
}

t.test('any conversation is read as intended, however it is fragmented and split', async t => {
  const property = fc.property(conversation, cuts, fc.boolean(), fc.boolean(), (said, cuts, masked, owned) => {
    const { messages, controls } = read(masked, cutAt(wire(masked, ...said.frames), cuts), owned)
    mustEqual(messages, said.messages, 'messages')
    mustEqual(controls, said.controls, 'control frames')
  })
  await holds(t, property, 1500)
})

t.test('written frames are read again, in fragments of any size, with control frames before waiting ones', async t => {
  const pings = fc.array(fc.option(bytes(125), { freq: 2 }), { minLength: 6, maxLength: 6 })
  const size = fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.integer({ min: 1, max: 3000 }))
  const property = fc.property(messages(), pings, size, cuts, fc.boolean(), (sent, pings, size, cuts, masked) => {
    const writer = new FrameWriter(masked)
    const out: Buffer[] = []
    sent.forEach((message, i) => {
      const cutter = new FrameCutter(size)
      cutter.cut(frameOf(message))
      for (let frame = cutter.next(); frame !== null; frame = cutter.next()) writer.add(frame)
      const ping = pings[i]
      if (ping != null) writer.addUrgent(new Frame(Opcode.Ping, ping))
      // sometimes the waiting frames are taken, and sometimes they continue to wait
      const waiting = writer.size
      if (i % 2 === 1) {
        const taken = writer.take()
        const length = taken.reduce((sum, { length }) => sum + length, 0)
        if (length !== waiting || writer.size !== 0) throw new Error(`${length} bytes where ${waiting} waited`)
        out.push(...taken)
      }
    })
    out.push(...writer.take())
    const bytes = Buffer.concat(out)
    const frames = readWire(bytes)
    if (!frames.every(({ mask }) => (mask !== null) === masked)) throw new Error('a wrong mask')
    const { messages, controls } = read(masked, cutAt(bytes, cuts), true)
    mustEqual(messages, sent, 'messages')
    const sentPings = sent.flatMap((_, i) => (pings[i] == null ? [] : [pings[i]]))
    // they may overtake messages, but never each other
    mustEqual(
      controls.map(bytes => bytes.subarray(1)),
      sentPings,
      'pings'
    )
  })
  await holds(t, property, 800)
})

t.test('a frame written in parts is one frame on the wire, and nothing is inside it', async t => {
  const property = fc.property(message(), cuts, fc.nat(8), fc.boolean(), (sent, cuts, when, masked) => {
    const payload = Buffer.from(sent as string)
    const opcode = typeof sent === 'string' ? Opcode.Text : Opcode.Binary
    const writer = new FrameWriter(masked)
    const out: Buffer[] = []
    let offset = 0
    const parts = cutAt(payload, cuts).filter(({ length }) => length > 0)
    if (parts.length === 0) parts.push(Buffer.alloc(0))
    parts.forEach((part, i) => {
      if (i === when) writer.addUrgent(new Frame(Opcode.Ping, Buffer.from('!')))
      writer.add(new Frame(opcode, part).asPart(offset, payload.length))
      offset += part.length
      if (i % 2 === 0) out.push(...writer.take())
    })
    out.push(...writer.take())
    const { messages, controls } = read(masked, out)
    mustEqual(messages, [sent], 'messages')
    if (controls.length !== (when < parts.length ? 1 : 0)) throw new Error(`${controls.length} pings`)
  })
  await holds(t, property, 800)
})

t.test('a prepared message has the same bytes as the message itself', async t => {
  const property = fc.property(messages(9000), fc.boolean(), (sent, masked) => {
    const writer = new FrameWriter(masked)
    for (const message of sent) {
      const opcode = typeof message === 'string' ? Opcode.Text : Opcode.Binary
      writer.add(new PreparedMessage(opcode, Buffer.from(message as string), true).whole)
    }
    mustEqual(read(masked, writer.take()).messages, sent, 'messages')
  })
  await holds(t, property, 300)
})

t.test('with any error in a wire, the parser continues or refuses, the same for any chunks', async t => {
  const property = fc.property(damagedWire, fc.nat(255), fc.nat(15), ({ bytes, masked }, cut, flags) => {
    frameParser.run(Buffer.concat([Buffer.from([(flags << 1) | (masked ? 0 : 1), cut]), bytes]))
  })
  await holds(t, property, 1500)
})

t.test(
  'with any error in a wire, messages or a refusal come out, the same for any chunks, within the limits',
  async t => {
    const property = fc.property(damagedWire, fc.nat(255), fc.nat(31), ({ bytes, masked }, cut, flags) => {
      joiner.run(Buffer.concat([Buffer.from([(flags << 1) | (masked ? 0 : 1), cut]), bytes]))
    })
    await holds(t, property, 1500)
  }
)

t.test('applying a mask twice restores the bytes, at any position', async t => {
  const property = fc.property(
    fc.nat(600),
    fc.nat(9),
    fc.nat(9),
    fc.integer(),
    fc.nat(600),
    (size, from, to, mask, cut) => {
      const source = Buffer.alloc(size + from, 0x5a).fill('what is masked')
      const target = Buffer.alloc(size + to)
      applyMask(source, from, from + size, target, to, mask)
      const at = Math.min(cut, size)
      // unmasked in two parts, in place
      applyMask(target, to, to + at, target, to, mask)
      applyMask(target, to + at, to + size, target, to + at, shiftMask(mask, at))
      if (!target.subarray(to).equals(source.subarray(from))) throw new Error('differs')
    }
  )
  await holds(t, property, 1500)
})

t.test('text is checked in pieces as Node checks the whole, and an invalid byte is detected at once', async t => {
  const isRight = (bytes: Buffer, stream: boolean): boolean => {
    try {
      new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream })
      return true
    } catch {
      return false
    }
  }
  const some = fc.array(fc.oneof(fc.constantFrom('é', '€', '🌍', 'a'), fc.nat(255)), { maxLength: 12 })
  const property = fc.property(some, items => {
    const text = Buffer.concat(items.map(item => (typeof item === 'string' ? Buffer.from(item) : Buffer.from([item]))))
    let checked = 0
    for (let end = 1; end <= text.length; end++) {
      checked = checkUtf8(text, checked, end)
      // a prefix that can still become valid is valid so far: a decoder that waits for more agrees
      if (checked >= 0 !== isRight(text.subarray(0, end), true)) throw new Error(`differs at ${end}`)
      if (checked < 0) return
    }
    if ((checked === text.length) !== isRight(text, false)) throw new Error('differs at the end')
  })
  await holds(t, property, 3000)
})

t.test('a Close body is read as written, and any other is read or refused', async t => {
  const codes = fc.integer({ min: 0, max: 6000 })
  const property = fc.property(
    codes,
    fc.string({ unit: 'grapheme', maxLength: 20 }),
    bytes(125),
    (code, reason, any) => {
      let body: Buffer | null = null
      try {
        body = writeCloseBody(code, reason)
      } catch (error) {
        if (!(error instanceof RangeError)) throw error
      }
      if (body !== null) {
        const read = readCloseBody(body)
        if (read.code !== code || read.reason !== reason) throw new Error('differs')
      }
      try {
        readCloseBody(any)
      } catch (error) {
        if ((error as Error).name !== 'WebSocketError') throw error
      }
    }
  )
  await holds(t, property, 1000)
})
