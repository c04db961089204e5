// Frames through extensions that know only whole messages: gathered, processed one at a time, and returned as one frame.

import t from 'tap'
import Extensions from 'websocket-extensions'
import type { FrameCodec } from '../../lib/extensions/extension.js'
import { MessageCodecs } from '../../lib/extensions/message-codec.js'
import type { NegotiationLimits } from '../../lib/extensions/negotiation.js'
import { Frame, Opcode } from '../../lib/index.js'
import { random } from '../support/frames.js'
import { invert, reverse, type ToyOptions, toy } from './toys.js'

const LIMITS: NegotiationLimits = { maxMessageSize: 100, maxFragments: 4, closeTimeout: 10_000 }

/** Both codecs of a client's connection with these extensions. */
function codecs(extensions = [reverse()], limits: Partial<NegotiationLimits> = {}): MessageCodecs {
  const container = new Extensions()
  for (const extension of extensions) container.add(extension)
  container.generateOffer()
  container.activate(extensions.map(({ name }) => name).join(', '))
  const rsv = extensions.reduce((sum, each) => sum | (each.rsv1 ? 4 : 0) | (each.rsv2 ? 2 : 0) | (each.rsv3 ? 1 : 0), 0)
  return new MessageCodecs(container, rsv, { ...LIMITS, ...limits })
}

const one = (options: ToyOptions, limits?: Partial<NegotiationLimits>): MessageCodecs =>
  codecs([toy('one', options)], limits)

const data = (opcode: Opcode, payload: string | Buffer, fin = true, rsv = 0): Frame =>
  new Frame(opcode, payload, fin, rsv)

/** The output that is there synchronously. */
function run(codec: FrameCodec, ...frames: Frame[]): Frame[] {
  const made: Frame[] = []
  for (const frame of frames) {
    codec.push(frame)
    for (let next = codec.next(); next !== null; next = codec.next()) made.push(next)
  }
  return made
}

const isReady = (codec: FrameCodec): Promise<void> =>
  new Promise(resolve => {
    codec.ready = resolve
  })

t.test('a message is sent as one frame, with the reserved bits of the extension', async t => {
  const { outgoing } = codecs()
  const [frame] = run(outgoing, data(Opcode.Text, 'abc'))
  t.match(frame, { opcode: Opcode.Text, fin: true, rsv: 2, payload: Buffer.from('cba') })
  t.equal(outgoing.busy, false)
  t.equal(outgoing.next(), null)
})

t.test('fragments and parts are collected, and only the first one has the opcode', async t => {
  const { incoming } = codecs()
  const part = new Frame(Opcode.Continuation, 'cd', false).asPart(0, 4)
  const rest = new Frame(Opcode.Continuation, 'ef', false).asPart(2, 4)
  const frames = [data(Opcode.Binary, 'ab', false, 2), part, rest, data(Opcode.Continuation, '')]
  t.match(run(incoming, ...frames), [{ opcode: Opcode.Binary, fin: true, rsv: 0, payload: Buffer.from('fedcba') }])
  t.match(run(incoming, data(Opcode.Text, '')), [{ opcode: Opcode.Text, size: 0 }])
})

t.test('a received message has no reserved bit left, and a sent one only those negotiated', async t => {
  const marking: ToyOptions = {
    rsv: 4,
    incoming: (message, callback) => callback(null, { ...message, rsv1: true, rsv2: true, rsv3: true }),
    outgoing: (message, callback) => callback(null, { ...message, rsv1: true, rsv2: true, rsv3: true })
  }
  const { incoming, outgoing } = one(marking)
  t.equal(run(incoming, data(Opcode.Text, 'a', true, 4))[0]!.rsv, 0)
  t.equal(run(outgoing, data(Opcode.Text, 'a'))[0]!.rsv, 4)
})

t.test('the extension gets each reserved bit, and cannot change the opcode', async t => {
  const seen: unknown[] = []
  const { incoming } = one({
    rsv: 7,
    incoming(message, callback) {
      seen.push([message.rsv1, message.rsv2, message.rsv3, message.opcode])
      callback(null, { ...message, opcode: Opcode.Close })
    }
  })
  for (const rsv of [4, 2, 1]) t.equal(run(incoming, data(Opcode.Text, 'a', true, rsv))[0]!.opcode, Opcode.Text)
  t.same(seen, [
    [true, false, false, 1],
    [false, true, false, 1],
    [false, false, true, 1]
  ])
})

t.test('an extension may modify its input, which is not shared', async t => {
  const bytes = Buffer.from('abc')
  const { incoming, outgoing } = codecs([invert()])
  for (const codec of [incoming, outgoing]) {
    run(codec, data(Opcode.Binary, bytes, true, codec === incoming ? 1 : 0))
    t.equal(String(bytes), 'abc')
  }
})

t.test('masked parts are unmasked on the way', async t => {
  const { incoming } = codecs()
  const masked = Buffer.from('abcdef').map((byte, i) => byte ^ [1, 2, 3, 4][i % 4]!)
  const frame = new Frame(Opcode.Binary, masked, true, 2).within(0, 6, 0x04030201, 'wire')
  t.same(run(incoming, frame)[0]!.payload, Buffer.from('fedcba'))
})

t.test('ready is called once when the extension answers later', async t => {
  let answer: () => void = () => {}
  const { incoming } = one({
    incoming(message, callback) {
      answer = () => callback(null, message)
    }
  })
  let told = 0
  incoming.ready = () => told++
  incoming.push(data(Opcode.Text, 'a'))
  t.equal(incoming.busy, true)
  t.equal(incoming.next(), null)
  answer()
  answer()
  t.equal(told, 1)
  t.equal(incoming.busy, false)
  t.match(incoming.next(), { payload: Buffer.from('a') })
  t.equal(incoming.next(), null)
})

t.test('ready is not called when the extension answers synchronously', async t => {
  const { incoming } = codecs()
  incoming.ready = () => t.fail('nobody waits')
  t.equal(run(incoming, data(Opcode.Text, 'a')).length, 1)
})

t.test('an answer without a ready listener is kept', async t => {
  let answer: () => void = () => {}
  const { outgoing } = one({
    outgoing(message, callback) {
      answer = () => callback(null, message)
    }
  })
  outgoing.push(data(Opcode.Text, 'a'))
  answer()
  t.match(outgoing.next(), { payload: Buffer.from('a') })
})

t.test('limits apply to received messages before and after the extension', async t => {
  const grow: ToyOptions = { incoming: (message, callback) => callback(null, { ...message, data: Buffer.alloc(101) }) }
  const cases: [string, string, ToyOptions, Frame[]][] = [
    ['announced', 'WS_ERR_MESSAGE_TOO_LARGE', {}, [new Frame(Opcode.Binary, 'a').asPart(0, 101)]],
    [
      'summed',
      'WS_ERR_MESSAGE_TOO_LARGE',
      {},
      [data(Opcode.Binary, Buffer.alloc(60), false), data(Opcode.Continuation, Buffer.alloc(41))]
    ],
    ['made', 'WS_ERR_MESSAGE_TOO_LARGE', grow, [data(Opcode.Binary, 'a')]],
    [
      'in pieces',
      'WS_ERR_TOO_MANY_FRAGMENTS',
      {},
      [data(Opcode.Text, '', false), ...Array.from({ length: 4 }, () => data(Opcode.Continuation, '', false))]
    ],
    ['out of place', 'WS_ERR_UNEXPECTED_CONTINUATION', {}, [data(Opcode.Continuation, '')]],
    ['unfinished', 'WS_ERR_EXPECTED_CONTINUATION', {}, [data(Opcode.Text, '', false), data(Opcode.Text, '')]]
  ]
  for (const [what, code, options, frames] of cases) {
    const { incoming } = one(options)
    t.throws(() => run(incoming, ...frames), { code }, what)
    t.throws(() => incoming.next(), { code }, 'and for good')
  }
  t.equal(run(one({}).incoming, data(Opcode.Binary, Buffer.alloc(100))).length, 1)
  const { outgoing } = one({
    outgoing: (message, callback) => callback(null, { ...message, data: Buffer.alloc(1000) })
  })
  const many = Array.from({ length: 100 }, (_, i) => data(i === 0 ? Opcode.Binary : Opcode.Continuation, 'x', i === 99))
  t.equal(run(outgoing, ...many)[0]!.size, 1000, 'what goes out is our own affair')
})

t.test('an error of ours that an extension passes on is kept', async t => {
  const { WebSocketError } = await import('../../lib/index.js')
  const error = new WebSocketError('WS_ERR_INVALID_COMPRESSED_DATA')
  const { incoming } = one({ incoming: (_message, callback) => callback(error) })
  t.throws(() => run(incoming, data(Opcode.Text, 'a')), { code: 'WS_ERR_INVALID_COMPRESSED_DATA', closeCode: 1007 })
})

t.test('any other error names the extension', async t => {
  const { outgoing } = one({ outgoing: (_message, callback) => callback(new Error('oops')) })
  t.throws(() => run(outgoing, data(Opcode.Text, 'a')), {
    code: 'WS_ERR_EXTENSION',
    closeCode: 1011,
    message: /one: oops$/
  })
})

t.test('a string that an extension throws is an error that names it', async t => {
  const container = {
    processIncomingMessage() {
      throw 'oops'
    },
    processOutgoingMessage() {},
    close() {}
  }
  const { incoming } = new MessageCodecs(container as never, 0, LIMITS)
  t.throws(() => run(incoming, data(Opcode.Text, 'a')), { code: 'WS_ERR_EXTENSION', message: /oops$/ })
})

t.test('only the first call of an extension counts, even if it then throws', async t => {
  const container = {
    processIncomingMessage(message: object, callback: (error: null, result: object) => void) {
      callback(null, message)
      callback(null, { ...message, data: Buffer.from('again') })
      throw new Error('oops')
    },
    processOutgoingMessage() {},
    close() {}
  }
  const { incoming } = new MessageCodecs(container as never, 0, LIMITS)
  t.match(run(incoming, data(Opcode.Text, 'a')), [{ payload: Buffer.from('a') }])
})

t.test('an extension that never answers times out after closeTimeout', { timeout: 8000 }, async t => {
  const { incoming } = one({ incoming: () => {} }, { closeTimeout: 20 })
  incoming.push(data(Opcode.Text, 'a'))
  const before = performance.now()
  await isReady(incoming)
  t.ok(performance.now() - before >= 15)
  t.throws(() => incoming.next(), { code: 'WS_ERR_EXTENSION', message: /no answer in 20 ms/ })
})

t.test('with an infinite closeTimeout it never times out', async t => {
  const { incoming } = one({ incoming: () => {} }, { closeTimeout: Number.POSITIVE_INFINITY })
  incoming.push(data(Opcode.Text, 'a'))
  const timers = process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
  incoming.close()
  t.equal(process.getActiveResourcesInfo().filter(name => name === 'Timeout').length, timers, 'there was no timer')
})

t.test("the type of an extension's error decides the close code", async t => {
  for (const [type, code, closeCode] of [
    ['protocol_error', 'WS_ERR_EXTENSION', 1002],
    ['unacceptable', 'WS_ERR_EXTENSION', 1003],
    ['encoding_error', 'WS_ERR_EXTENSION', 1007],
    ['policy_violation', 'WS_ERR_EXTENSION', 1008],
    ['too_large', 'WS_ERR_MESSAGE_TOO_LARGE', 1009],
    ['unexpected_condition', 'WS_ERR_EXTENSION', 1011],
    ['toString', 'WS_ERR_EXTENSION', 1011],
    [7, 'WS_ERR_EXTENSION', 1011],
    [undefined, 'WS_ERR_EXTENSION', 1011]
  ] as const) {
    const error = Object.assign(new Error('oops'), { type })
    const { incoming } = one({ incoming: (_message, callback) => callback(error) })
    const expected = { code, closeCode, message: /oops$/, cause: error }
    t.throws(() => run(incoming, data(Opcode.Text, 'a')), expected, String(type))
  }
})

t.test('nothing is called after close, and the sessions are closed once, with the second direction', async t => {
  let answer: () => void = () => {}
  const extension = toy('one', {
    incoming(message, callback) {
      answer = () => callback(null, message)
    }
  })
  const { incoming, outgoing } = codecs([extension])
  incoming.ready = () => t.fail('it is closed')
  incoming.push(data(Opcode.Text, 'a'))
  incoming.close()
  incoming.close()
  t.equal(incoming.busy, false)
  t.equal(incoming.next(), null)
  t.equal(extension.seen.closed, 0)
  outgoing.close()
  t.equal(extension.seen.closed, 0, 'the extension is at work')
  answer()
  t.equal(extension.seen.closed, 1)
  t.equal(incoming.next(), null)
})

t.test('A10: a message of tiny parts takes no more than a few times its size', async t => {
  const size = 2 ** 20
  const { incoming } = codecs([reverse()], { maxMessageSize: size })
  const next = random(1)
  const before = process.memoryUsage()
  for (let at = 0; at < size - 1; at++) {
    const frame = new Frame(Opcode.Binary, Buffer.from([next() * 256])).asPart(at, size)
    incoming.push(frame)
    if (incoming.next() !== null) t.fail('it is not complete')
  }
  const after = process.memoryUsage()
  const grown = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers
  t.ok(grown < 40 * size, `${grown / size} bytes for each of the wire`)
  t.equal(run(incoming, new Frame(Opcode.Binary, 'x').asPart(size - 1, size))[0]!.size, size)
})

t.test('A09: a length that is only announced allocates no memory', async t => {
  const { incoming } = codecs([reverse()], { maxMessageSize: 2 ** 30 })
  const before = process.memoryUsage().arrayBuffers
  incoming.push(new Frame(Opcode.Binary, 'x').asPart(0, 2 ** 30))
  t.ok(process.memoryUsage().arrayBuffers - before < 2 ** 20)
})
