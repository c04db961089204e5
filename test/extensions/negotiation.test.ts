// Offers of extensions and responses to them, through the container of websocket-extensions: the agreement, and the resulting codecs.

import t from 'tap'
import type { FrameCodec, StreamingSession } from '../../lib/extensions/extension.js'
import { type Negotiated, Negotiation, type NegotiationLimits } from '../../lib/extensions/negotiation.js'
import { type Extension, Frame, Opcode, WebSocketError } from '../../lib/index.js'
import { reverse, type Toy, toy } from './toys.js'

const LIMITS: NegotiationLimits = { maxMessageSize: 100, maxFragments: 4, closeTimeout: 10_000 }

const negotiation = (...extensions: Extension[]): Negotiation => new Negotiation(extensions, LIMITS)

/** Both sides after a handshake. */
function both(client: Extension[], server: Extension[]): { response: string; sides: (Negotiated | null)[] } {
  const [asking, responding] = [negotiation(...client), negotiation(...server)]
  const response = responding.respond(asking.offer())
  if (response !== '') asking.activate(response)
  return { response, sides: [asking.negotiated(), responding.negotiated()] }
}

function through(codec: FrameCodec, frame: Frame): Frame | null {
  codec.push(frame)
  return codec.next()
}

/** An extension whose sessions work frame by frame. */
function streamed(name: string): { extension: Extension; plain: Toy; made: unknown[] } {
  const made: unknown[] = []
  const codec = (direction: string): FrameCodec => {
    made.push(direction)
    return { push() {}, next: () => null, busy: false, ready: null, close() {} }
  }
  const streaming: StreamingSession = {
    incoming: maxMessageSize => codec(`incoming ${maxMessageSize}`),
    outgoing: () => codec('outgoing')
  }
  const plain = toy(name, { rsv: 4 })
  const extension: Extension = {
    ...plain,
    createClientSession: () => Object.assign(plain.createClientSession()!, { streaming }),
    createServerSession: offers => Object.assign(plain.createServerSession(offers)!, { streaming })
  }
  return { extension, plain, made }
}

t.test('without extensions nothing is offered or agreed on', async t => {
  t.equal(negotiation().offer(), '')
  t.equal(negotiation().respond('a, b; c=1'), '')
  t.equal(negotiation().negotiated(), null)
  t.equal(negotiation(toy('a')).negotiated(), null)
})

t.test('offers have the order of the extensions, each as often as it offers', async t => {
  const several = toy('several', { offer: () => [{ a: 1 }, { b: true, c: 'x' }, {}] })
  t.equal(negotiation(several, toy('one')).offer(), 'several; a=1, several; b; c=x, several, one')
  t.equal(negotiation(toy('silent', { offer: () => null })).offer(), '')
  t.equal(negotiation({ ...toy('absent'), createClientSession: () => null }).offer(), '')
})

t.test('a server accepts only what was offered and it supports', async t => {
  const extensions = [toy('a', { response: () => ({ x: 1 }) }), toy('b'), toy('picky', { accept: () => false })]
  t.equal(negotiation(...extensions).respond('b; k, other, picky, a'), 'a; x=1, b')
  t.same(extensions[1]!.seen.offers, [[{ k: true }]])
  t.equal(negotiation(...extensions).respond('other'), '')
})

t.test('the extensions get the limit on messages', async t => {
  const told: unknown[] = []
  const extension: Extension = {
    ...toy('a'),
    createClientSession(options) {
      told.push(options)
      return null
    },
    createServerSession(_offers, options) {
      told.push(options)
      return null
    }
  }
  negotiation(extension).offer()
  negotiation(extension).respond('a')
  t.same(told, [{ maxLength: 100 }, { maxLength: 100 }])
})

t.test('the reserved bits are those of the agreed extensions only', async t => {
  const bits = [0, 1, 2, 3, 4, 5, 6, 7]
  for (const rsv of bits) {
    const extensions = [toy('chosen', { rsv }), toy('other', { rsv: 7 })]
    const { sides } = both(extensions, [toy('chosen', { rsv })])
    t.same(
      sides.map(side => side!.rsv),
      [rsv, rsv]
    )
  }
  const three = [4, 2, 1].map(rsv => toy(`rsv-${rsv}`, { rsv }))
  t.same(
    both(three, three).sides.map(side => side!.rsv),
    [7, 7]
  )
})

t.test('a client refuses what it did not offer, or cannot use', async t => {
  const wrong: [response: string, ...Extension[]][] = [
    ['other', toy('a')],
    ['a, other', toy('a')],
    ['a', toy('a', { activate: () => false })],
    ['a', toy('a', { activate: () => 1 as never })],
    ['a, b', toy('a', { rsv: 4 }), toy('b', { rsv: 5 })],
    ['__proto__', toy('a')],
    ['constructor', toy('a')],
    ['hasOwnProperty', toy('a')],
    ['a;', toy('a')]
  ]
  for (const [response, ...extensions] of wrong) {
    const client = negotiation(...extensions)
    client.offer()
    t.throws(() => client.activate(response), Error, response)
  }
})

t.test('whole messages go through the sessions of both sides', async t => {
  const { response, sides } = both([reverse()], [reverse()])
  t.equal(response, 'reverse')
  for (const [from, to] of [sides, [...sides].reverse()]) {
    const sent = through(from!.outgoing!, new Frame(Opcode.Text, 'abc'))!
    t.match(sent, { rsv: 2, payload: Buffer.from('cba') })
    t.match(through(to!.incoming!, sent), { rsv: 0, payload: Buffer.from('abc') })
  }
})

t.test('a session may fail with any value', async t => {
  const failures: unknown[] = ['a string', Object.freeze(new Error('frozen')), 5, Object.create(null), true]
  for (const failure of failures) {
    for (const how of ['throws', 'calls back', 'calls back later']) {
      const extension = toy('bad', {
        outgoing(_message, callback) {
          if (how === 'throws') throw failure
          if (how === 'calls back') callback(failure as Error)
          else setImmediate(callback, failure as Error)
        }
      })
      for (const { outgoing } of both([extension], [extension]).sides as Negotiated[]) {
        const done = new Promise<void>(resolve => {
          outgoing!.ready = resolve
        })
        outgoing!.push(new Frame(Opcode.Text, 'a'))
        if (outgoing!.busy) await done
        t.throws(() => outgoing!.next(), { code: 'WS_ERR_EXTENSION', message: /bad: / })
      }
    }
  }
})

t.test('an error of ours keeps its close code', async t => {
  const extension = toy('bad', {
    outgoing: (_message, callback) => callback(new WebSocketError('WS_ERR_INVALID_COMPRESSED_DATA')),
    incoming() {
      throw new WebSocketError('WS_ERR_MESSAGE_TOO_LARGE')
    }
  })
  for (const side of both([extension], [extension]).sides) {
    t.throws(() => through(side!.outgoing!, new Frame(Opcode.Text, 'a')), {
      code: 'WS_ERR_INVALID_COMPRESSED_DATA',
      closeCode: 1007
    })
    t.throws(() => through(side!.incoming!, new Frame(Opcode.Text, 'a')), {
      code: 'WS_ERR_MESSAGE_TOO_LARGE',
      closeCode: 1009
    })
  }
})

t.test('a session is closed with both codecs, and may throw', async t => {
  const extension = toy('rude', {
    close() {
      throw new Error('oops')
    }
  })
  for (const side of both([extension], [extension]).sides) {
    side!.incoming!.close()
    t.doesNotThrow(() => side!.outgoing!.close())
  }
  t.equal(extension.seen.closed, 2)
})

t.test('a session that works frame by frame is used directly if it is the only one', async t => {
  const { extension, plain, made } = streamed('streamed')
  const { sides } = both([extension], [extension])
  t.same(
    sides.map(side => side!.rsv),
    [4, 4]
  )
  t.same(made, ['incoming 100', 'outgoing', 'incoming 100', 'outgoing'])
  for (const side of sides) {
    side!.incoming!.close()
    side!.outgoing!.close()
  }
  t.equal(plain.seen.closed, 0, 'and only its codecs are closed')
  made.length = 0
  const extensions = [extension, reverse()]
  const { sides: whole, response } = both(extensions, extensions)
  t.equal(response, 'streamed, reverse')
  t.same(made, [], 'beside another one it takes whole messages')
  t.match(through(whole[0]!.outgoing!, new Frame(Opcode.Text, 'abc')), { payload: Buffer.from('cba') })
})

t.test('a second response replaces the first', async t => {
  const client = negotiation(toy('a', { rsv: 2 }), toy('b', { rsv: 1 }))
  client.offer()
  client.activate('a')
  t.equal(client.negotiated()!.rsv, 2)
  const server = negotiation(toy('a'))
  t.equal(server.respond('a'), 'a')
  t.equal(server.respond('b'), '')
  t.equal(server.negotiated(), null)
})
