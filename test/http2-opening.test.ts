// Both openings on HTTP/2, with a session and a pipeline that only write down what they are asked: what is said in which order, and
// what happens where either side is gone. With real ones: test/net/http2-connections.test.ts.

import t from 'tap'
import { HandshakeError } from '../lib/errors.js'
import type { Negotiated } from '../lib/extensions/negotiation.js'
import type { Http2Headers } from '../lib/handshake/http2-fields.js'
import type { OpenInfo } from '../lib/handshake/open-info.js'
import { Http1ClientOpening } from '../lib/http1-opening.js'
import { Http2ClientOpening, type Http2OpeningOwner, Http2ServerOpening } from '../lib/http2-opening.js'
import type { Opening } from '../lib/opening.js'
import { readOptions, type WebSocketOptions } from '../lib/options.js'
import { acceptFor } from './support/raw-peer.js'

const REQUEST: Http2Headers = {
  ':method': 'CONNECT',
  ':protocol': 'websocket',
  ':scheme': 'https',
  ':authority': 'example.com',
  ':path': '/chat',
  'sec-websocket-version': '13'
}

/** An extension that is offered as `x-test`, and does nothing. */
const extension = {
  name: 'x-test',
  type: 'permessage',
  rsv1: false,
  rsv2: false,
  rsv3: true,
  createClientSession: () => ({ ...session, generateOffer: () => ({}), activate: (p: object) => !('bad' in p) }),
  createServerSession: () => ({ ...session, generateResponse: () => ({}) })
} as const
const session = {
  processIncomingMessage(message: never, callback: (error: null, message: never) => void) {
    callback(null, message)
  },
  processOutgoingMessage(message: never, callback: (error: null, message: never) => void) {
    callback(null, message)
  },
  close() {}
}

class Owner implements Http2OpeningOwner {
  readonly said: string[] = []
  followsRedirects = false
  info: OpenInfo | null = null
  negotiated: Negotiated | null = null
  error: HandshakeError | null = null
  /** What the application does with a request. */
  onRequest: (() => void) | null = null

  isJoined = true
  opening: Opening | null = null

  begin(): void {
    this.opening!.begin()
  }

  readMore(): void {}

  handOver(): void {}

  offer(): boolean {
    this.onRequest?.()
    return this.onRequest !== null
  }

  sendHead(bytes: Buffer): void {
    this.said.push(String(bytes))
  }

  keepHead(bytes: Buffer): void {
    this.said.push(`kept ${bytes}`)
  }

  readOn(): void {}

  wireInput(): boolean {
    return true
  }

  handshakeDone(info: OpenInfo, negotiated: Negotiated | null): void {
    this.said.push('open')
    this.info = info
    this.negotiated = negotiated
  }

  handshakeFailed(error: HandshakeError): void {
    this.said.push('failed')
    this.error = error
  }
}

function server(changes: Http2Headers = {}, options: WebSocketOptions = {}) {
  const owner = new Owner()
  const heads: Http2Headers[] = []
  const stream = {
    closed: false,
    destroyed: false,
    headersSent: false,
    respond(head: Http2Headers) {
      owner.said.push(`head ${head[':status']}`)
      heads.push(head)
      stream.headersSent = true
    },
    close(code: number) {
      owner.said.push(`reset ${code}`)
    }
  }
  const opening = new Http2ServerOpening(owner, readOptions(options), stream, { ...REQUEST, ...changes })
  owner.opening = opening
  return { owner, stream, opening, heads }
}

function client(options: WebSocketOptions = {}, url = 'wss://example.com/chat') {
  const owner = new Owner()
  const settings = readOptions(options)
  const opening = new Http2ClientOpening(owner, url, settings, new Http1ClientOpening(owner, url, settings))
  let hear: (head: Http2Headers) => void = () => {}
  const requests: Http2Headers[] = []
  const stream = {
    once(event: string, listener: typeof hear) {
      if (event === 'response') hear = listener
    }
  }
  const request = (head: Http2Headers) => {
    requests.push(head)
    return stream
  }
  const ask = () => {
    const asked = opening.requestOn({ request })
    opening.begin()
    return asked
  }
  return { owner, opening, stream, requests, ask, answer: (head: Http2Headers) => hear(head) }
}

const caught = (run: () => unknown): HandshakeError => {
  try {
    run()
  } catch (error) {
    return error as HandshakeError
  }
  throw new Error('nothing was thrown')
}

t.test('a server', async t => {
  t.test('resets the stream of a client that leaves before it is answered', async t => {
    const { opening, owner } = server()
    owner.onRequest = () => {}
    opening.begin()
    opening.peerLeft()
    opening.peerLeft()
    t.same(owner.said, ['reset 8', 'failed'])
    t.match(owner.error, { code: 'WS_ERR_CONNECTION_LOST', status: 0 })
    t.equal(opening.accept(), false)
    t.throws(() => opening.handOver(), TypeError)
  })

  t.test('accepts what is right by itself', async t => {
    const { opening, owner, heads } = server()
    t.match(opening.request, { url: '/chat', headers: { host: 'example.com' } })
    t.equal(opening.url, '')
    opening.begin()
    t.same(owner.said, ['head 200', 'open'])
    t.same(heads, [{ ':status': 200 }])
    t.match(owner.info, {
      version: 'rfc8441',
      status: 200,
      protocol: '',
      extensions: '',
      url: 'wss://example.com/chat'
    })
    t.equal(owner.negotiated, null)
    opening.begin()
    opening.late()
    t.equal(opening.accept(), false)
    t.equal(opening.reject(404), false)
    t.equal(owner.said.length, 2)
  })

  t.test('leaves it to the application where that listens, now or later', async t => {
    const { opening, owner } = server({ 'sec-websocket-protocol': 'a, b' })
    owner.onRequest = () => {}
    opening.begin()
    t.same(owner.said, [])
    opening.setHeader('X-A', 'a')
    t.equal(opening.accept({ protocol: 'b' }), true)
    t.match(owner.info, { protocol: 'b', headers: { 'x-a': 'a', 'sec-websocket-protocol': 'b' } })
  })

  t.test('takes what the application says before there is a wire', async t => {
    const accepted = server()
    accepted.opening.setHeader('X-A', ['a', 'b'])
    t.throws(() => accepted.opening.setHeader('X-A', 'a\r\nb'), TypeError)
    t.throws(() => accepted.opening.setHeader('X A', []), TypeError)
    t.equal(accepted.opening.accept({ headers: { 'X-B': 'b' } }), true)
    accepted.opening.begin()
    t.match(accepted.heads, [{ ':status': 200, 'x-a': 'a, b', 'x-b': 'b' }])

    const rejected = server()
    t.equal(rejected.opening.reject(404, { body: 'nothing here' }), true)
    rejected.opening.begin()
    t.same(rejected.owner.said, ['head 404', 'nothing here', 'failed'])
    t.match(rejected.owner.error, { code: 'WS_ERR_REJECTED', status: 404 })

    const later = server()
    later.owner.onRequest = () => later.opening.reject(403)
    later.opening.begin()
    t.same(later.owner.said, ['head 403', 'Forbidden', 'failed'])
  })

  t.test('says which version it speaks', async t => {
    const { opening, owner, heads } = server({ 'sec-websocket-version': '8' })
    opening.begin()
    t.match(heads, [{ ':status': 400, 'sec-websocket-version': '13' }])
    t.same(owner.said, ['head 400', 'unsupported WebSocket version', 'failed'])
    t.match(owner.error, { code: 'WS_ERR_UNSUPPORTED_VERSION' })
  })

  t.test('answers 500 where a function among the options fails', async t => {
    const boom = new Error('boom')
    const protocols = () => {
      throw boom
    }
    const { opening, owner } = server({ 'sec-websocket-protocol': 'a' }, { protocols })
    opening.begin()
    t.equal(owner.said[0], 'head 500')
    t.match(owner.error, { code: 'WS_ERR_REJECTED', status: 500, cause: boom })
  })

  t.test('sends no body behind a status that has none', async t => {
    const { opening, owner } = server()
    opening.reject(304)
    opening.begin()
    t.same(owner.said, ['head 304', 'failed'])
  })

  t.test('A26: answers 408 where time is up', async t => {
    const { opening, owner } = server()
    opening.late()
    t.equal(owner.said[0], 'head 408')
    opening.begin()
    t.equal(owner.said.length, 3)
  })

  t.test('says nothing to a stream that is gone, or that somebody else has answered', async t => {
    for (const gone of ['closed', 'destroyed', 'headersSent'] as const) {
      const { opening, owner, stream, heads } = server()
      stream[gone] = true
      opening.begin()
      t.match(owner.error, { code: 'WS_ERR_CONNECTION_LOST' })
      const refused = server()
      refused.stream[gone] = true
      refused.opening.reject(404)
      refused.opening.begin()
      t.same([heads, refused.heads], [[], []])
      t.same(refused.owner.said, ['failed'])
    }
    const { opening, owner } = server()
    opening.fault(new HandshakeError('WS_ERR_CONNECTION_LOST'))
    t.same(owner.said, ['failed'])
  })

  t.test('agrees on extensions', async t => {
    const offer = { 'sec-websocket-extensions': 'x-test, x-other' }
    const agreed = server(offer, { extensions: [extension] as never })
    agreed.opening.begin()
    t.match(agreed.heads, [{ 'sec-websocket-extensions': 'x-test' }])
    t.match(agreed.owner.info, { extensions: 'x-test' })
    t.match(agreed.owner.negotiated, { rsv: 1 })

    const given = server(offer)
    given.owner.onRequest = () => given.opening.accept({ extensions: 'x-other' })
    given.opening.begin()
    t.match(given.heads, [{ 'sec-websocket-extensions': 'x-other' }])
    t.same(given.owner.negotiated, { rsv: 7, incoming: null, outgoing: null })

    const none = server(offer)
    none.owner.onRequest = () => none.opening.accept({ extensions: '' })
    none.opening.begin()
    t.equal(none.owner.negotiated, null)
  })

  t.test('has no head to read among the bytes', async t => {
    const { opening } = server()
    t.same(opening.receive(Buffer.from('a')), Buffer.from('a'))
    opening.complete()
    t.match(
      caught(() => opening.end()),
      { code: 'WS_ERR_CONNECTION_LOST' }
    )
  })
})

t.test('a client', async t => {
  t.test('asks on a session, and takes the answer', async t => {
    const { opening, owner, requests, ask, answer, stream } = client({ protocols: ['a'] })
    opening.setHeader('X-A', 'a')
    t.equal(ask(), stream)
    opening.begin()
    t.match(requests, [{ ':method': 'CONNECT', ':path': '/chat', 'x-a': 'a', 'sec-websocket-protocol': 'a' }])
    t.same(owner.said, [], 'there is no head to write')
    t.equal(opening.url, 'wss://example.com/chat')
    t.equal(opening.request, null)
    t.equal(opening.isDecided, false)
    t.equal(opening.accept(), false)
    t.equal(opening.reject(), false)
    t.equal(opening.handOver(), false)
    opening.peerLeft()
    answer({ ':status': 200, 'sec-websocket-protocol': 'a' })
    t.same(owner.said, ['open'])
    t.match(owner.info, { version: 'rfc8441', status: 200, protocol: 'a' })
    opening.late()
    t.equal(owner.error, null)
  })

  t.test('takes an answer that came before the stream was its wire', async t => {
    const { opening, owner, answer, stream } = client()
    opening.requestOn({ request: () => stream })
    answer({ ':status': 200 })
    t.same(owner.said, [])
    opening.begin()
    t.same(owner.said, ['open'])
  })

  t.test('speaks HTTP/1.1 where no stream was to be had after all', async t => {
    const { opening, owner, stream } = client()
    opening.requestOn({ request: () => stream })
    opening.useHttp1()
    opening.begin()
    t.match(owner.said[0], /^GET /)
  })

  t.test('keeps bytes that are seen before the answer', async t => {
    const { opening, owner, ask, answer } = client()
    ask()
    t.equal(opening.receive(Buffer.from('one')), null)
    t.equal(opening.receive(Buffer.from('two')), null)
    answer({ ':status': 200 })
    t.same(owner.said, ['kept one', 'kept two', 'open'])
  })

  t.test('takes them for the body where the answer is a refusal', async t => {
    const { opening, ask, answer } = client()
    ask()
    opening.receive(Buffer.from('no, '))
    answer({ ':status': 403, 'x-a': 'a' })
    t.equal(opening.receive(Buffer.from('thanks')), null)
    const error = caught(() => opening.end())
    t.match(error, { code: 'WS_ERR_UNEXPECTED_STATUS', status: 403, headers: { 'x-a': 'a' } })
    t.equal(String(error.body), 'no, thanks')
  })

  t.test('A25: and fails when there are too many of them', async t => {
    const { opening, owner, ask, answer } = client()
    ask()
    opening.receive(Buffer.alloc(70000))
    answer({ ':status': 403 })
    t.match(owner.error, { code: 'WS_ERR_UNEXPECTED_STATUS', status: 403 })
    t.equal(owner.error!.body.length, 65536)
  })

  t.test('fails where the answer is wrong, late, or does not come', async t => {
    const wrong = client()
    wrong.ask()
    wrong.answer({ ':status': 200, 'sec-websocket-protocol': 'a' })
    t.match(wrong.owner.error, { code: 'WS_ERR_BAD_RESPONSE' })
    const late = client()
    late.ask()
    late.opening.late()
    t.match(late.owner.error, { code: 'WS_ERR_HANDSHAKE_TIMEOUT' })
    late.answer({ ':status': 200 })
    late.opening.fault(new HandshakeError('WS_ERR_CONNECTION_LOST'))
    t.same(late.owner.said, ['failed'])
    const ended = client()
    ended.ask()
    t.match(
      caught(() => ended.opening.end()),
      { code: 'WS_ERR_BAD_RESPONSE' }
    )
  })

  t.test('passes on what the application throws', async t => {
    const { owner, ask, answer } = client()
    ask()
    owner.handshakeDone = () => {
      throw new RangeError('of the application')
    }
    t.throws(() => answer({ ':status': 200 }), RangeError)
  })

  t.test('agrees on extensions', async t => {
    const options: WebSocketOptions = { extensions: [extension] as never }
    const agreed = client(options)
    agreed.ask()
    t.match(agreed.requests, [{ 'sec-websocket-extensions': 'x-test' }])
    agreed.answer({ ':status': 200, 'sec-websocket-extensions': 'x-test' })
    t.match(agreed.owner.negotiated, { rsv: 1 })

    const declined = client(options)
    declined.ask()
    declined.answer({ ':status': 200 })
    t.match(declined.owner, { info: { extensions: '' }, negotiated: null })

    const bad = client(options)
    bad.ask()
    bad.answer({ ':status': 200, 'sec-websocket-extensions': 'x-test; bad' })
    t.match(bad.owner.error, { code: 'WS_ERR_BAD_RESPONSE', status: 200 })

    const opaque = client({ extensions: 'x-any; a=b' })
    opaque.ask()
    opaque.answer({ ':status': 200, 'sec-websocket-extensions': 'x-any' })
    t.match(opaque.owner, { info: { extensions: 'x-any' }, negotiated: { rsv: 7, incoming: null } })

    const fail = () => {
      throw new Error('no offer')
    }
    const failing = { ...extension, createClientSession: () => ({ ...session, generateOffer: fail }) }
    t.match(caught(client({ extensions: [failing] as never }).ask), { code: 'WS_ERR_EXTENSION' })
  })

  t.test('speaks HTTP/1.1 where there is no session', async t => {
    const { opening, owner } = client({ headers: { 'X-A': 'a' } })
    opening.setHeader('X-B', 'b')
    t.same(opening.fields, [
      ['X-A', 'a'],
      ['X-B', 'b']
    ])
    opening.begin()
    t.match(owner.said[0], /^GET \/chat HTTP\/1\.1\r\nHost: example\.com\r\n.*X-A: a\r\n.*X-B: b\r\n/s)
    const key = /Key: (.*)\r/.exec(owner.said[0]!)![1]!
    const answer = `HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptFor(key)}\r\n\r\n`
    t.same(opening.receive(Buffer.from(`${answer}rest`)), Buffer.from('rest'))
    opening.complete()
    t.match(owner.info, { version: 'hybi-13', status: 101 })
    const ended = client()
    ended.opening.begin()
    t.match(
      caught(() => ended.opening.end()),
      { code: 'WS_ERR_BAD_RESPONSE' }
    )
    ended.opening.fault(new HandshakeError('WS_ERR_CONNECTION_LOST'))
    const late = client()
    late.opening.late()
    t.match(
      [ended.owner.error, late.owner.error],
      [{ code: 'WS_ERR_CONNECTION_LOST' }, { code: 'WS_ERR_HANDSHAKE_TIMEOUT' }]
    )
  })
})

t.test('an extension may be added until a stream was asked for', async t => {
  const { opening, ask, requests } = client()
  opening.addExtension(extension as never)
  ask()
  t.match(requests, [{ 'sec-websocket-extensions': 'x-test' }])
  t.throws(() => opening.addExtension({ ...extension, name: 'y' } as never), TypeError)
})
