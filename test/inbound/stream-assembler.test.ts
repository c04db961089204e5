// Frames that become streams of messages: which are taken when, and which have to wait.

import t from 'tap'
import type { WebSocketError } from '../../lib/errors.js'
import { StreamAssembler } from '../../lib/inbound/stream-assembler.js'
import { Frame } from '../../lib/protocol/frame.js'
import { Opcode } from '../../lib/protocol/opcode.js'
import { link } from '../../lib/stages/stage.js'
import type { MessageStream } from '../../lib/views/message-stream.js'
import { Giver, nextTurn } from '../stages/ends.js'

const { Text, Binary, Continuation } = Opcode
const LIMITS = { maxMessageSize: 1000, maxFragments: 4, highWaterMark: 10 }

const frame = (opcode: Opcode, payload: string, fin = true): Frame => new Frame(opcode, Buffer.from(payload), fin)

function make() {
  const streams: MessageStream[] = []
  const ends: (Error | null)[] = []
  const faults: WebSocketError[] = []
  const view = {
    wants: true,
    meanwhile: (_stream: MessageStream): void => {},
    deliver(stream: MessageStream): boolean {
      streams.push(stream)
      view.meanwhile(stream)
      return view.wants
    },
    endMessages(error: Error | null): void {
      ends.push(error)
    }
  }
  let delivered = 0
  const owner = { inputDelivered: () => delivered++, fail: (error: WebSocketError) => faults.push(error) }
  const intake = new StreamAssembler(view, owner, LIMITS)
  const giver = new Giver<Frame>()
  link(giver, intake)
  return { intake, view, streams, ends, faults, giver, delivered: () => delivered }
}

t.test('a message takes more if it has room, and waits if not', async t => {
  const { intake, streams, giver } = make()
  t.equal(intake.receive([frame(Binary, 'abc', false)]), true)
  t.equal(intake.receive([frame(Continuation, '0123456789', false), frame(Continuation, 'x')]), false)
  const [stream] = streams
  t.equal(String(stream!.read(13)), 'abc0123456789')
  t.equal(giver.asked, 1)
  t.equal(String(stream!.read()), 'x')
})

t.test('a new message waits for the view, not until the previous one has been read', async t => {
  const { intake, view, streams, giver } = make()
  view.wants = false
  t.equal(intake.receive([frame(Text, 'a'), frame(Text, 'b')]), false)
  t.equal(streams.length, 1)
  t.equal(giver.asked, 0)
  view.wants = true
  intake.proceed()
  t.equal(streams.length, 2)
  t.equal(giver.asked, 1)
})

t.test('a complete message makes no room in the next one', async t => {
  const { intake, streams } = make()
  intake.receive([frame(Binary, 'a'), frame(Binary, '0123456789', false), frame(Continuation, 'more', false)])
  const [first, second] = streams
  first!.destroy()
  await nextTurn()
  t.equal(second!.readableLength, 10)
  t.equal(String(second!.read()), '0123456789more')
})

t.test('it continues if the next message is requested while one is delivered', async t => {
  const { intake, view, streams } = make()
  view.wants = false
  view.meanwhile = () => intake.proceed()
  t.equal(intake.receive([frame(Text, 'a'), frame(Text, 'b')]), true)
  t.equal(streams.length, 2)
})

t.test('frames that arrive while it waits are queued', async t => {
  const { intake, view, streams } = make()
  view.wants = false
  intake.receive([frame(Text, 'a'), frame(Text, 'b')])
  t.equal(intake.receive([frame(Text, 'c')]), false)
  view.wants = true
  intake.proceed()
  t.same(
    streams.map(stream => stream.read()),
    ['a', 'b', 'c']
  )
  view.meanwhile = stream => {
    view.meanwhile = () => {}
    t.equal(intake.receive([frame(Text, 'e')]), true)
    t.equal(stream.kind, 'text')
  }
  t.equal(intake.receive([frame(Text, 'd')]), true)
  t.equal(streams.length, 5)
})

t.test('isRead tells whether the current message is being read', async t => {
  const { intake, streams } = make()
  t.equal(intake.isRead, false)
  intake.receive([frame(Text, 'a', false)])
  t.equal(intake.isRead, false)
  streams[0]!.pause()
  t.equal(intake.isRead, true)
})

t.test('the end follows waiting frames, fails an incomplete message, and is reported once', async t => {
  const { intake, view, streams, ends, delivered } = make()
  view.wants = false
  intake.receive([frame(Text, 'a'), frame(Text, 'b', false)])
  intake.finish()
  t.equal(delivered(), 1)
  intake.complete(null)
  intake.complete(new Error('the first one counts'))
  t.same(ends, [])
  intake.proceed()
  t.same(ends, [null])
  const [whole, half] = streams
  t.equal(whole!.read(), 'a')
  let error: unknown
  half!.on('error', cause => {
    error = cause
  })
  t.equal(half!.read(), 'b')
  await nextTurn()
  t.match(error, { code: 'WS_ERR_INCOMPLETE_MESSAGE' })
})

t.test('discarded, it drops waiting and further frames, and asks for more', async t => {
  const { intake, view, streams, giver } = make()
  view.wants = false
  intake.receive([frame(Text, 'a'), frame(Text, 'b')])
  intake.discard()
  t.equal(giver.asked, 1)
  t.equal(intake.receive([frame(Text, 'c')]), true)
  intake.proceed()
  t.equal(streams.length, 1)
  const other = make()
  other.intake.discard()
  t.equal(other.giver.asked, 0)
})

t.test('discarded after the end, waiting frames give way to the end', async t => {
  for (const failure of [null, new Error('failed')]) {
    const { intake, view, streams, ends } = make()
    view.wants = false
    intake.receive([frame(Text, 'a', false), frame(Continuation, '0123456789', false), frame(Continuation, 'b')])
    intake.complete(null)
    t.same(ends, [])
    intake.discard(failure)
    t.same(ends, [failure])
    const [stream] = streams
    let error: unknown
    stream!.on('error', cause => {
      error = cause
    })
    t.equal(stream!.read(), 'a0123456789')
    await nextTurn()
    t.match(error, failure ?? { code: 'WS_ERR_INCOMPLETE_MESSAGE' })
    intake.discard(new Error('too late'))
    t.same(ends, [failure])
  }
})

t.test('if the view discards while it gets a message, nothing more is taken', async t => {
  const { intake, view, streams } = make()
  view.meanwhile = () => intake.discard()
  t.equal(intake.receive([frame(Text, 'a'), frame(Text, 'b')]), true)
  t.equal(streams.length, 1)
  t.equal(streams[0]!.readableLength, 0)
})

t.test('an error is reported to the owner, and nothing after it is taken', async t => {
  const { intake, streams, faults } = make()
  t.equal(intake.receive([frame(Text, 'a'), frame(Continuation, 'b'), frame(Text, 'c')]), true)
  t.equal(streams.length, 1)
  t.match(faults, [{ code: 'WS_ERR_UNEXPECTED_CONTINUATION' }])
})

t.test("an error that is not the peer's is thrown", async t => {
  const { intake, view } = make()
  view.meanwhile = () => {
    throw new RangeError('a mistake')
  }
  t.throws(() => intake.receive([frame(Text, 'a')]), RangeError)
})
