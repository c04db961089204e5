import t from 'tap'
import { Frame } from '../../lib/protocol/frame.js'
import { Opcode } from '../../lib/protocol/opcode.js'
import { ExtensionTransform, type ExtensionTransformOptions } from '../../lib/stages/extension-transform.js'
import { FrameDecoder } from '../../lib/stages/frame-decoder.js'
import { link } from '../../lib/stages/stage.js'
import { text, wire } from '../support/frames.js'
import { all, describeFrame, event, Giver, sourceOf, Taker, test } from './ends.js'

const frame = (opcode: Opcode, rsv = 0, fin = true): Frame => new Frame(opcode, Buffer.from('x'), fin, rsv)

function linked(options?: ExtensionTransformOptions): {
  extension: ExtensionTransform
  taker: Taker<Frame>
  errors: string[]
} {
  const [extension, taker, errors] = [new ExtensionTransform(options), new Taker<Frame>(), [] as string[]]
  link(new Giver<Frame>(), extension)
  link(extension, taker)
  extension.listener = { fail: error => errors.push(error.code) }
  return { extension, taker, errors }
}

t.test('with nothing negotiated, batches without reserved bits pass as they are', async t => {
  const { extension, taker, errors } = linked()
  const batch = Object.values(Opcode).map(opcode => frame(opcode))
  t.ok(extension.receive(batch))
  t.same(taker.items, batch)
  taker.wants = false
  t.notOk(extension.receive(batch))
  t.same(errors, [])
})

t.test('with nothing negotiated, any reserved bit is refused (RFC 6455 §5.2)', async t => {
  for (const opcode of Object.values(Opcode)) {
    for (let rsv = 1; rsv < 8; rsv++) {
      const { extension, taker, errors } = linked()
      t.ok(extension.receive([frame(opcode, rsv)]))
      t.same(errors, ['WS_ERR_UNEXPECTED_RSV'])
      t.same(taker.batches, [])
    }
  }
})

t.test('negotiated bits may be set on the first frame of a message', async t => {
  for (let rsv = 1; rsv < 8; rsv++) {
    for (const opcode of [Opcode.Text, Opcode.Binary]) {
      const { extension, taker, errors } = linked({ rsv })
      extension.receive([frame(opcode, rsv, false), frame(Opcode.Continuation, 0), frame(opcode, 0)])
      t.same(errors, [])
      t.equal(taker.items.length, 3)
      extension.receive([frame(opcode, 7)])
      t.same(errors, rsv === 7 ? [] : ['WS_ERR_UNEXPECTED_RSV'], 'and no other')
    }
  }
})

t.test('A23: no bit may be set on a continuation or a control frame (RFC 7692 §6)', async t => {
  for (const opcode of [Opcode.Continuation, Opcode.Ping, Opcode.Pong, Opcode.Close]) {
    const { extension, errors } = linked({ rsv: 4 })
    extension.receive([frame(Opcode.Text, 4, false), frame(opcode, 4)])
    t.same(errors, ['WS_ERR_UNEXPECTED_RSV'])
  }
})

t.test('the frames before a fault pass before its listener is told, and none after it', async t => {
  const { extension, taker, errors } = linked()
  taker.meanwhile = () => errors.push('frames')
  t.ok(extension.receive([frame(Opcode.Text), frame(Opcode.Ping), frame(Opcode.Text, 1), frame(Opcode.Binary)]))
  t.same(errors, ['frames', 'WS_ERR_UNEXPECTED_RSV'])
  t.same(taker.items.map(describeFrame), ['text 78', 'ping 78'])
})

test('on its own it is destroyed by a fault, behind what came before it', async t => {
  const extension = new ExtensionTransform()
  const got: Frame[] = []
  extension.on('data', batch => got.push(...batch))
  const failed = event(extension, 'error')
  extension.write([frame(Opcode.Text), frame(Opcode.Text, 4)])
  t.match(await failed, { code: 'WS_ERR_UNEXPECTED_RSV', closeCode: 1002 })
  t.same(got.map(describeFrame), ['text 78'])
  t.ok(extension.destroyed)
})

test('as a stream it passes batches on', async t => {
  const source = sourceOf([wire(true, text('a'), text('b'))])
  const frames = await all(source.pipe(new FrameDecoder()).pipe(new ExtensionTransform()))
  t.same((frames as Frame[]).map(describeFrame), ['text 61', 'text 62'])
})
