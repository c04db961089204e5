import t from 'tap'
import { Frame } from '../../lib/protocol/frame.js'
import type { Sendable } from '../../lib/protocol/message-splitter.js'
import { Opcode } from '../../lib/protocol/opcode.js'
import { MessageFragmenter, type MessageFragmenterOptions } from '../../lib/stages/message-fragmenter.js'
import { link } from '../../lib/stages/stage.js'
import { pattern } from '../support/frames.js'
import { all, describeFrame, event, Giver, sourceOf, Taker, test } from './ends.js'

function linked(options?: MessageFragmenterOptions): {
  fragmenter: MessageFragmenter
  taker: Taker<Frame>
  giver: Giver<Sendable>
} {
  const [giver, fragmenter, taker] = [new Giver<Sendable>(), new MessageFragmenter(options), new Taker<Frame>()]
  link(giver, fragmenter)
  link(fragmenter, taker)
  return { fragmenter, taker, giver }
}

t.test('each message is a frame, and a batch of messages is a batch of frames', async t => {
  const { fragmenter, taker } = linked()
  t.ok(fragmenter.receive(['a', Buffer.from('b'), '']))
  t.ok(fragmenter.receive([new Uint16Array([0x6463])]))
  t.same(
    taker.batches.map(batch => batch.map(describeFrame)),
    [['text 61', 'binary 62', 'text'], ['binary 6364']]
  )
})

t.test('a message over fragmentSize is several frames, in one batch', async t => {
  const { fragmenter, taker } = linked({ fragmentSize: 2 })
  fragmenter.receive(['abcde'])
  fragmenter.receive(['f', Buffer.from('ghi')])
  t.same(
    taker.batches.map(batch => batch.map(describeFrame)),
    [
      ['text+ 6162', 'more+ 6364', 'more 65'],
      ['text 66', 'binary+ 6768', 'more 69']
    ]
  )
})

t.test('fragments are passed on while there is room, and waiting ones keep their order', async t => {
  const { fragmenter, taker, giver } = linked({ fragmentSize: 16_384 })
  taker.wants = false
  t.equal(fragmenter.receive([pattern(200_000)]), false)
  t.equal(fragmenter.receive(['behind']), false)
  t.same([taker.items.length, fragmenter.size, fragmenter.isIdle], [4, 200_006 - 65_536, false])
  let isTold = false
  fragmenter.whenIdle(() => {
    isTold = true
  })
  fragmenter.finish()
  taker.prev!.proceed()
  t.same([taker.items.length, isTold, giver.asked, taker.ends], [8, false, 0, 0])
  taker.proceed()
  t.same([taker.items.length, isTold, giver.asked, taker.ends], [14, true, 1, 1])
  t.same(describeFrame(taker.items.at(-1)!), 'text 626568696e64')
  t.same([fragmenter.size, fragmenter.isIdle], [0, true])
})

t.test('frames that must stay whole keep their order among those that are split', async t => {
  const { fragmenter, taker } = linked({ fragmentSize: 2 })
  fragmenter.receive(['abc'])
  fragmenter.pass([new Frame(Opcode.Binary, 'whole')], false)
  fragmenter.cuts = false
  fragmenter.receive(['def'])
  t.same(taker.items.map(describeFrame), ['text+ 6162', 'more 63', 'binary 77686f6c65', 'text 646566'])
})

t.test('stopped, it drops waiting frames', async t => {
  const { fragmenter, taker } = linked({ fragmentSize: 16_384 })
  taker.wants = false
  fragmenter.receive([pattern(200_000)])
  fragmenter.stop()
  t.same([fragmenter.size, fragmenter.isIdle], [0, true])
  taker.proceed()
  t.equal(taker.items.length, 4)
  t.equal(fragmenter.receive(['more']), true)
  const plain = linked().fragmenter
  plain.stop()
  t.same([plain.size, plain.isIdle], [0, true])
})

t.test('without fragmentSize nothing is split', async t => {
  for (const options of [undefined, {}, { fragmentSize: Number.POSITIVE_INFINITY }]) {
    const { fragmenter, taker } = linked(options)
    fragmenter.receive([pattern(2 ** 20)])
    t.equal(taker.items.length, 1)
  }
})

t.test('the next stage decides whether more is wanted', async t => {
  const { fragmenter, taker, giver } = linked()
  taker.wants = false
  t.notOk(fragmenter.receive(['a']))
  taker.proceed()
  t.equal(giver.asked, 1)
  t.ok(fragmenter.receive(['b']))
})

t.test('the end follows the frames', async t => {
  const { fragmenter, taker } = linked()
  fragmenter.receive(['a'])
  t.equal(taker.ends, 0)
  fragmenter.finish()
  t.equal(taker.ends, 1)
})

test('as a stream it takes messages, and gives batches of frames', async t => {
  const frames = await all(sourceOf(['a', pattern(3)], true).pipe(new MessageFragmenter({ fragmentSize: 2 })))
  t.same((frames as Frame[]).map(describeFrame), ['text 61', 'binary+ 0108', 'more 0f'])
})

test('A08: a value that is not a message fails the stream with a TypeError, and throws nowhere', async t => {
  for (const wrong of [5, {}, true]) {
    const fragmenter = new MessageFragmenter()
    const failed = event<Error>(fragmenter, 'error')
    t.doesNotThrow(() => fragmenter.write(wrong))
    t.type(await failed, TypeError)
  }
})

t.test('an invalid fragmentSize is a RangeError or a TypeError at once', async t => {
  for (const fragmentSize of [0, -1, Number.NaN]) t.throws(() => new MessageFragmenter({ fragmentSize }), RangeError)
  for (const fragmentSize of ['5', null, {}]) {
    t.throws(() => new MessageFragmenter({ fragmentSize: fragmentSize as number }), TypeError)
  }
})
