import t from 'tap'
import { Frame } from '../../lib/protocol/frame.js'
import { Opcode } from '../../lib/protocol/opcode.js'
import { decodeByEngine, SMALL_UP_TO, smallBytes, smallText } from '../../lib/protocol/small-payload.js'
import { bytesOf, MASK, pattern } from '../support/frames.js'
import { INVALID, VALID } from './utf8-cases.js'

const MASKS = [MASK, Buffer.alloc(4), Buffer.from('80ff7f01', 'hex'), Buffer.from('ffffffff', 'hex')]
// chunks below, at and above the size from which they get a view
const CHUNKS = [0, 1024, 2 ** 20 + 1]
const SIZES = [0, 1, 2, 3, 4, 5, 7, 15, 16, 17, 19, 20, 31, 32, 33, 63, 64, 125, 126, 127, 500, 1022, 1023]

/** A frame whose payload is at `start` of a chunk of at least `room` bytes, which is not at the beginning of its memory. */
function frameOf(
  opcode: Opcode,
  payload: Buffer,
  mask: Buffer,
  start: number,
  room: number
): { frame: Frame; chunk: Buffer } {
  const length = Math.max(room, start + payload.length)
  const chunk = Buffer.from(new ArrayBuffer(length + 7), 5, length)
  chunk.fill(0xee)
  chunk.set(
    payload.map((byte, i) => byte ^ mask[i % 4]!),
    start
  )
  return {
    frame: new Frame(opcode, chunk).within(start, payload.length, mask.readInt32LE(0), 'wire'),
    chunk
  }
}

function everywhere(opcode: Opcode, payload: Buffer, check: (frame: Frame, where: string) => void): void {
  for (const mask of MASKS) {
    for (const room of CHUNKS) {
      for (const start of [0, 1, 2, 6, 7]) {
        const { frame, chunk } = frameOf(opcode, payload, mask, start, room)
        const before = bytesOf(chunk)
        check(frame, `at ${start} of ${chunk.length}, masked with ${mask.toString('hex')}`)
        if (!chunk.equals(before)) throw new Error('the chunk was changed')
      }
    }
  }
}

t.test('binary payloads of every size are unmasked and copied from any position of any chunk', async t => {
  const wrong: string[] = []
  for (const size of [...SIZES, SMALL_UP_TO, 3000]) {
    everywhere(Opcode.Binary, pattern(size), (frame, where) => {
      const bytes = smallBytes(frame)
      if (!Buffer.isBuffer(bytes) || !bytes.equals(pattern(size))) wrong.push(`${size} bytes ${where}`)
    })
  }
  t.same(wrong, [])
})

t.test('text of every size, ASCII or not, is read from any position of any chunk', async t => {
  const wrong: string[] = []
  for (const size of SIZES) {
    for (const text of [
      'x'.repeat(size),
      `${'x'.repeat(Math.max(0, size - 2))}\u00fc`.slice(-size),
      '\u20ac'.repeat(size / 3)
    ]) {
      everywhere(Opcode.Text, Buffer.from(text), (frame, where) => {
        if (smallText(frame) !== text) wrong.push(`${size} bytes ${where}`)
      })
    }
  }
  t.same(wrong, [])
})

t.test('text in a plain Uint8Array is read too', async t => {
  for (const text of ['x'.repeat(100), 'ü'.repeat(50), 'x'.repeat(20)]) {
    t.equal(smallText(new Frame(Opcode.Text, Uint8Array.from(Buffer.from(text)))), text)
  }
  t.equal(decodeByEngine(new Uint8Array(60).fill(0xff), 0, 60), null)
})

t.test('a byte above 127 is detected at any position', async t => {
  for (let at = 0; at < 40; at++) {
    const bytes = Buffer.alloc(40, 'x')
    bytes[at] = 0xff
    everywhere(Opcode.Text, bytes, (frame, where) => {
      if (smallText(frame) !== null) t.fail(`${at}, ${where}`)
    })
  }
  t.pass('in 40 places')
})

for (const around of [0, 5, 30, 300]) {
  t.test(`UTF-8 is accepted, with ${around} bytes before and after it`, async t => {
    for (const hex of VALID) {
      const bytes = Buffer.concat([Buffer.alloc(around, 'x'), Buffer.from(hex, 'hex'), Buffer.alloc(around, 'y')])
      everywhere(Opcode.Text, bytes, (frame, where) => {
        if (smallText(frame) !== bytes.toString()) t.fail(`${hex} ${where}`)
      })
    }
    t.pass(`${VALID.length} texts`)
  })

  t.test(`the engine decodes the same, with ${around} bytes before and after it`, async t => {
    for (const hex of [...VALID, 'efbfbd', 'f09f9880efbfbdc3bc']) {
      const bytes = Buffer.concat([Buffer.alloc(around, 'x'), Buffer.from(hex, 'hex'), Buffer.alloc(around, 'y')])
      const more = Buffer.concat([bytes, Buffer.from([0xff])])
      t.equal(decodeByEngine(more, 0, bytes.length), smallText(new Frame(Opcode.Text, bytes)))
      t.equal(decodeByEngine(more, 0, more.length), null)
      t.equal(decodeByEngine(more, around, bytes.length - around), bytes.subarray(around).toString())
    }
    for (const [says, hex] of INVALID) {
      const bytes = Buffer.concat([Buffer.alloc(around, 'x'), Buffer.from(hex, 'hex')])
      t.equal(decodeByEngine(bytes, 0, bytes.length), null, says)
    }
  })

  t.test(`invalid UTF-8 is refused, with ${around} bytes before it`, async t => {
    for (const [says, hex] of INVALID) {
      const bytes = Buffer.concat([Buffer.alloc(around, 'x'), Buffer.from(hex, 'hex')])
      everywhere(Opcode.Text, bytes, (frame, where) => {
        if (smallText(frame) !== null) t.fail(`${says} (${hex}) ${where}`)
      })
    }
    t.pass(`${INVALID.length} others`)
  })
}

t.test('the engine decodes nothing from memory that was transferred away', async t => {
  const bytes = Buffer.from(new ArrayBuffer(100))
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] })
  t.throws(() => decodeByEngine(bytes, 0, 100), { code: 'WS_ERR_MEMORY_TRANSFERRED' })
})

t.test(
  'all sequences of two bytes, and all beginnings of three and four, are checked as the platform checks them',
  async t => {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
    const platform = (bytes: Buffer): string | null => {
      try {
        return decoder.decode(bytes)
      } catch {
        return null
      }
    }
    const wrong: string[] = []
    for (let first = 0; first < 256; first++) {
      for (let second = 0; second < 256; second++) {
        for (const tail of [[], [0x80], [0xbf], [0x80, 0x80], [0xbf, 0xbf], [0x41], [0x80, 0xc0]]) {
          const bytes = Buffer.from([first, second, ...tail])
          if (smallText(new Frame(Opcode.Text, bytes)) !== platform(bytes)) wrong.push(bytes.toString('hex'))
        }
      }
    }
    t.same(wrong, [])
  }
)

t.test('every character of Unicode is read', async t => {
  const wrong: number[] = []
  for (let point = 0; point <= 0x10ffff; point++) {
    if (point >= 0xd800 && point <= 0xdfff) continue
    // thirty at a time
    if (point % 30 === 0 || point === 0xe000) {
      const points = Array.from({ length: 30 }, (_, i) => point + i).filter(
        p => p <= 0x10ffff && (p < 0xd800 || p > 0xdfff)
      )
      const text = String.fromCodePoint(...points)
      if (smallText(new Frame(Opcode.Text, Buffer.from(text))) !== text) wrong.push(point)
    }
  }
  t.same(wrong, [])
})

t.test('A30: a payload is in memory of at most 8 KiB, and of its own size from 1 KiB on', async t => {
  for (const size of [1, 100, 1023, 1024, 5000]) {
    for (let i = 0; i < 20; i++) {
      const { frame } = frameOf(Opcode.Binary, pattern(size), MASK, 3, 2 ** 16)
      const limit = size < SMALL_UP_TO ? 8192 : size
      if (smallBytes(frame).buffer.byteLength > limit) t.fail(`${size} bytes`)
    }
  }
  t.pass()
})

t.test('consecutive payloads do not overlap', async t => {
  const taken = Array.from({ length: 200 }, (_, i) => {
    const payload = Buffer.alloc(1 + ((i * 37) % 1000), i)
    return { payload, bytes: smallBytes(new Frame(Opcode.Binary, payload)) }
  })
  t.ok(taken.every(({ payload, bytes }) => bytes.equals(payload)))
})
