import t from 'tap'
import type { DraftVersion } from '../../lib/protocol/draft-parser.js'
import { DraftWriter } from '../../lib/protocol/draft-writer.js'
import { Frame } from '../../lib/protocol/frame.js'
import { FrameParser } from '../../lib/protocol/frame-parser.js'
import { Opcode } from '../../lib/protocol/opcode.js'
import { PreparedMessage } from '../../lib/protocol/prepared-message.js'
import { CLOSE_76, ended, quoted, readDraft, VERSIONS } from '../support/draft-frames.js'
import { pattern, text, wire } from '../support/frames.js'

const SIZES = [0, 1, 24, 25, 1000, 8191, 8192, 8193, 65536, 200_000]

const textFrame = (payload: string | Uint8Array, fin = true): Frame => new Frame(Opcode.Text, payload, fin)
const more = (payload: string | Uint8Array, fin = true): Frame => new Frame(Opcode.Continuation, payload, fin)
const control = (opcode: Opcode, payload = ''): Frame => new Frame(opcode, Buffer.from(payload))
/** The Close of a server of the newer versions: code 1000 and a reason. */
const close = (): Frame => control(Opcode.Close, '\x03\xe8bye')

function part(payload: string, length: number, offset: number, opcode: Opcode = Opcode.Text, fin = true): Frame {
  return new Frame(opcode, Buffer.from(payload), fin).asPart(offset, length)
}

/** All waiting output, whose length must be what the writer reports. */
function take(writer: DraftWriter): Buffer {
  const { size } = writer
  const bytes = Buffer.concat(writer.take())
  if (bytes.length !== size) throw new Error(`${bytes.length} bytes came, and ${size} had been announced`)
  return bytes
}

function written(version: DraftVersion, ...frames: Frame[]): Buffer {
  const writer = new DraftWriter(version)
  for (const frame of frames) writer.add(frame)
  return take(writer)
}

for (const version of VERSIONS) {
  t.test(`${version}: text of every size stands between 00 and FF`, async t => {
    for (const size of SIZES) {
      for (const said of ['x'.repeat(size), 'ü'.repeat(size >> 1), `${'x'.repeat(size)}😀`]) {
        t.ok(written(version, textFrame(said)).equals(ended(said)), `${size} bytes or so`)
        t.ok(written(version, textFrame(Buffer.from(said))).equals(ended(said)), 'of bytes, which are UTF-8')
      }
    }
  })

  t.test(`${version}: the fragments of a message are joined`, async t => {
    const frames = [textFrame('Hel', false), more('', false), more('lo', false), more('!')]
    t.same(written(version, ...frames), ended('Hello!'))
    t.same(written(version, textFrame('', false), more('')), ended(''))
    const writer = new DraftWriter(version)
    const taken = frames.map(frame => {
      writer.add(frame)
      return take(writer).toString('latin1')
    })
    t.same(taken, ['\0Hel', '', 'lo', '!\xff'], 'whenever they are taken')
  })

  t.test(`${version}: the parts of a frame are joined`, async t => {
    t.same(written(version, part('Hel', 5, 0), part('lo', 5, 3)), ended('Hello'))
    const first = part('', 5, 0)
    const second = part('Hel', 5, 0)
    second.first = false
    t.same(written(version, first, second, part('lo', 5, 3)), ended('Hello'), 'an empty first part among them')
    const fragments = [part('ab', 3, 0, Opcode.Text, false), part('c', 3, 2, Opcode.Text, false)]
    t.same(written(version, ...fragments, part('d', 2, 0, 0), part('e', 2, 1, 0)), ended('abcde'))
  })

  t.test(`${version}: text of unknown length is written as it arrives`, async t => {
    const open = textFrame('Hel')
    open.length = -1
    t.same(written(version, open, part('lo', 5, 3)), ended('Hello'))
  })

  t.test(`${version}: binary messages, pings and pongs are dropped`, async t => {
    const writer = new DraftWriter(version)
    writer.add(new Frame(Opcode.Binary, pattern(10)))
    writer.add(new Frame(Opcode.Binary, pattern(10), false))
    t.notOk(writer.isMidFrame)
    writer.add(more('x', false))
    writer.add(more('y'))
    for (const opcode of [Opcode.Ping, Opcode.Pong]) {
      writer.add(control(opcode, 'a'))
      writer.addLast(control(opcode, 'b'))
      writer.addUrgent(control(opcode, 'c'))
    }
    t.equal(writer.size, 0)
    t.same(writer.take(), [])
    writer.add(textFrame('a', false))
    writer.addUrgent(control(Opcode.Ping, 'inside'))
    writer.addLast(control(Opcode.Pong, 'inside'))
    writer.add(more('b'))
    t.same(take(writer), ended('ab'), 'nor inside a text')
    writer.add(more('astray'))
    t.equal(writer.size, 0, 'nor a continuation of nothing')
  })

  t.test(`${version}: it says of each message, and of a Close, whether it is sent or dropped`, async t => {
    const said: boolean[] = []
    const writer = new DraftWriter(version, isSent => said.push(isSent))
    writer.add(new Frame(Opcode.Binary, pattern(10), false))
    writer.add(more('x'))
    writer.add(control(Opcode.Ping))
    t.same(said, [false], 'once for each')
    writer.add(textFrame('a'))
    writer.add(new Frame(Opcode.Binary, pattern(10)))
    t.same(said, [false, true, false])
    writer.addLast(close())
    t.same(said.slice(3), version === 'hixie-76' ? [true] : [])
  })

  t.test(`${version}: no waiting frame is replaced`, async t => {
    const writer = new DraftWriter(version)
    const old = control(Opcode.Pong)
    writer.addUrgent(old)
    t.notOk(writer.replace(old, control(Opcode.Pong)))
  })

  t.test(`${version}: there is nothing to write at first, nor after everything was taken`, async t => {
    const writer = new DraftWriter(version)
    t.equal(writer.size, 0)
    t.same(writer.take(), [])
    writer.add(textFrame('a'))
    t.equal(writer.size, 3)
    t.same(take(writer), ended('a'))
    t.equal(writer.size, 0)
    t.same(writer.take(), [])
    writer.add(textFrame('b'))
    t.same(take(writer), ended('b'), 'and it goes on')
  })

  t.test(`${version}: waiting frames are written as one buffer`, async t => {
    const writer = new DraftWriter(version)
    const small = Array.from({ length: 100 }, (_, i) => `message ${i}`)
    const large = Buffer.alloc(8192, 'large')
    for (const said of small) writer.add(textFrame(said))
    t.equal(writer.take().length, 1)
    for (const said of ['a', large, large, 'b', large]) writer.add(textFrame(said))
    const buffers = writer.take()
    const expected = Buffer.concat(['a', large, large, 'b', large].map(said => ended(said)))
    t.ok(Buffer.concat(buffers).equals(expected))
    t.equal(buffers.length, 1)
  })

  t.test(`${version}: masked payloads of another connection are written unmasked`, async t => {
    for (const said of ['small', 'x'.repeat(9000)]) {
      const parser = new FrameParser({ masked: true, maxFrameSize: 10_000 })
      parser.push(wire(true, text(said)), false)
      t.ok(written(version, parser.next()!).equals(ended(said)), `${said.length} bytes`)
    }
  })

  t.test(`${version}: a prepared message is sent without the frame made for other versions`, async t => {
    const prepared = new PreparedMessage(Opcode.Text, Buffer.from('for many'), true)
    t.same(written(version, prepared.whole), ended('for many'))
  })

  t.test(`${version}: a text is mid-frame from its first fragment to its last`, async t => {
    const writer = new DraftWriter(version)
    const isMid = [textFrame('a', false), more('b', false), part('c', 2, 0, 0), part('d', 2, 1, 0)].map(frame => {
      writer.add(frame)
      const before = writer.isMidFrame
      writer.take()
      return [before, writer.isMidFrame]
    })
    t.same(isMid, [
      [true, true],
      [true, true],
      [true, true],
      [false, false]
    ])
  })
}

t.test('hixie-76: a Close is FF 00, whatever code and reason it has', async t => {
  for (const way of ['add', 'addLast', 'addUrgent'] as const) {
    const writer = new DraftWriter('hixie-76')
    writer.add(textFrame('a'))
    writer[way](close())
    t.same(take(writer), Buffer.concat([ended('a'), CLOSE_76]), way)
    writer[way](control(Opcode.Close))
    t.same(take(writer), CLOSE_76, 'an empty one too')
  }
})

t.test('hixie-76: inside a text a Close cannot be sent', async t => {
  for (const way of ['add', 'addLast', 'addUrgent'] as const) {
    const writer = new DraftWriter('hixie-76')
    t.ok(writer.canClose)
    writer.add(textFrame('Hel', false))
    t.notOk(writer.canClose)
    writer[way](close())
    t.same(take(writer), Buffer.from('\0Hel'), way)
    writer.add(more('lo'))
    t.ok(writer.canClose)
    t.same(take(writer), Buffer.from([0x6c, 0x6f, 0xff]))
    writer.add(new Frame(Opcode.Binary, pattern(3), false))
    t.ok(writer.canClose, 'a message that is not written is no hindrance')
  }
})

t.test('hixie-75: a Close is not written', async t => {
  for (const way of ['add', 'addLast', 'addUrgent'] as const) {
    const writer = new DraftWriter('hixie-75')
    writer[way](close())
    t.equal(writer.size, 0)
    writer.add(textFrame('a'))
    t.same(take(writer), ended('a'))
  }
  const writer = new DraftWriter('hixie-75')
  t.notOk(writer.canClose)
  writer.add(textFrame('a', false))
  t.notOk(writer.canClose)
  writer.addLast(close())
  writer.add(more('b'))
  t.same(take(writer), ended('ab'), 'inside a text neither')
})

t.test('frames and messages are counted as on the wire', async t => {
  const counts = { 'hixie-75': [3, 2], 'hixie-76': [4, 2] }
  for (const version of VERSIONS) {
    const writer = new DraftWriter(version)
    t.same([writer.count, writer.messages], [0, 0])
    writer.add(textFrame('Hel', false))
    writer.add(more('lo', false))
    t.same([writer.count, writer.messages], [1, 0])
    writer.add(more('!'))
    writer.add(textFrame('b'))
    writer.add(new Frame(Opcode.Binary, pattern(3)))
    writer.add(control(Opcode.Ping))
    writer.add(close())
    writer.add(textFrame('c', false))
    writer.take()
    t.same([writer.count, writer.messages], counts[version], version)
  }
})

t.test('the parser reads what was written', async t => {
  const said = ['', 'a', 'ü€😀', 'x'.repeat(9000)]
  const bytes = written('hixie-76', ...said.map(text => textFrame(text)), close())
  t.same(readDraft('hixie-76', bytes), [...said.map(text => quoted(Buffer.from(text))), 'close'])
})

t.test('a text whose memory was transferred is dropped with all that waits', async t => {
  for (const version of VERSIONS) {
    const writer = new DraftWriter(version, () => {})
    const bytes = Buffer.from('lost')
    const memory = new Uint8Array(bytes)
    writer.add(new Frame(Opcode.Text, 'before'))
    writer.add(new Frame(Opcode.Text, memory))
    structuredClone(memory, { transfer: [memory.buffer] })
    const { dataTaken } = writer
    t.same(writer.take(), [])
    t.match(writer.failure, { code: 'WS_ERR_MEMORY_TRANSFERRED' })
    t.equal(writer.dataTaken, dataTaken)
    t.equal(writer.size, 0)
  }
})
