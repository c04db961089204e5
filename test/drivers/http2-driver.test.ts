// Both sides of the handshake on HTTP/2, with a session and a pipeline that only record calls: what is sent in which order, and
// what happens if either side is gone. With real ones: test/net/http2-connections.test.ts.

import t from 'tap'
import type { HandshakeDriver } from '../../lib/drivers/handshake-driver.js'
import { Http1ClientDriver } from '../../lib/drivers/http1-driver.js'
import { Http2ClientDriver, type Http2DriverOwner, Http2ServerDriver } from '../../lib/drivers/http2-driver.js'
import { HandshakeError } from '../../lib/errors.js'
import type { Negotiated } from '../../lib/extensions/negotiation.js'
import type { Http2Headers } from '../../lib/handshake/http2-fields.js'
import type { OpenInfo } from '../../lib/handshake/open-info.js'
import { readOptions, type WebSocketOptions } from '../../lib/options.js'
import { acceptFor } from '../support/raw-peer.js'

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

class Owner implements Http2DriverOwner {
  readonly said: string[] = []
  followsRedirects = false
  info: OpenInfo | null = null
  negotiated: Negotiated | null = null
  error: HandshakeError | null = null
  /** The application's reaction to a request. */
  onRequest: (() => void) | null = null

  isJoined = true
  driver: HandshakeDriver | null = null

  begin(): void {
    this.driver!.begin()
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
  const driver = new Http2ServerDriver(owner, readOptions(options), stream, { ...REQUEST, ...changes })
  owner.driver = driver
  return { owner, stream, driver, heads }
}

function client(options: WebSocketOptions = {}, url = 'wss://example.com/chat') {
  const owner = new Owner()
  const settings = readOptions(options)
  const driver = new Http2ClientDriver(owner, url, settings, new Http1ClientDriver(owner, url, settings))
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
    const asked = driver.requestOn({ request })
    driver.begin()
    return asked
  }
  return { owner, driver, stream, requests, ask, respond: (head: Http2Headers) => hear(head) }
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
    const { driver, owner } = server()
    owner.onRequest = () => {}
    driver.begin()
    driver.peerLeft()
    driver.peerLeft()
    t.same(owner.said, ['reset 8', 'failed'])
    t.match(owner.error, { code: 'WS_ERR_CONNECTION_LOST', status: 0 })
    t.equal(driver.accept(), false)
    t.throws(() => driver.handOver(), TypeError)
  })

  t.test('accepts a valid request by itself', async t => {
    const { driver, owner, heads } = server()
    t.match(driver.request, { url: '/chat', headers: { host: 'example.com' } })
    t.equal(driver.url, '')
    driver.begin()
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
    driver.begin()
    driver.late()
    t.equal(driver.accept(), false)
    t.equal(driver.reject(404), false)
    t.equal(owner.said.length, 2)
  })

  t.test('leaves it to the application if that listens, now or later', async t => {
    const { driver, owner } = server({ 'sec-websocket-protocol': 'a, b' })
    owner.onRequest = () => {}
    driver.begin()
    t.same(owner.said, [])
    driver.setHeader('X-A', 'a')
    t.equal(driver.accept({ protocol: 'b' }), true)
    t.match(owner.info, { protocol: 'b', headers: { 'x-a': 'a', 'sec-websocket-protocol': 'b' } })
  })

  t.test('takes the decision of the application before there is a wire', async t => {
    const accepted = server()
    accepted.driver.setHeader('X-A', ['a', 'b'])
    t.throws(() => accepted.driver.setHeader('X-A', 'a\r\nb'), TypeError)
    t.throws(() => accepted.driver.setHeader('X A', []), TypeError)
    t.equal(accepted.driver.accept({ headers: { 'X-B': 'b' } }), true)
    accepted.driver.begin()
    t.match(accepted.heads, [{ ':status': 200, 'x-a': 'a, b', 'x-b': 'b' }])

    const rejected = server()
    t.equal(rejected.driver.reject(404, { body: 'nothing here' }), true)
    rejected.driver.begin()
    t.same(rejected.owner.said, ['head 404', 'nothing here', 'failed'])
    t.match(rejected.owner.error, { code: 'WS_ERR_REJECTED', status: 404 })

    const later = server()
    later.owner.onRequest = () => later.driver.reject(403)
    later.driver.begin()
    t.same(later.owner.said, ['head 403', 'Forbidden', 'failed'])
  })

  t.test('reports the supported version', async t => {
    const { driver, owner, heads } = server({ 'sec-websocket-version': '8' })
    driver.begin()
    t.match(heads, [{ ':status': 400, 'sec-websocket-version': '13' }])
    t.same(owner.said, ['head 400', 'unsupported WebSocket version', 'failed'])
    t.match(owner.error, { code: 'WS_ERR_UNSUPPORTED_VERSION' })
  })

  t.test('answers 500 if a function among the options throws', async t => {
    const boom = new Error('boom')
    const protocols = () => {
      throw boom
    }
    const { driver, owner } = server({ 'sec-websocket-protocol': 'a' }, { protocols })
    driver.begin()
    t.equal(owner.said[0], 'head 500')
    t.match(owner.error, { code: 'WS_ERR_REJECTED', status: 500, cause: boom })
  })

  t.test('sends no body if the status does not allow one', async t => {
    const { driver, owner } = server()
    driver.reject(304)
    driver.begin()
    t.same(owner.said, ['head 304', 'failed'])
  })

  t.test('A26: answers 408 on timeout', async t => {
    const { driver, owner } = server()
    driver.late()
    t.equal(owner.said[0], 'head 408')
    driver.begin()
    t.equal(owner.said.length, 3)
  })

  t.test('does not answer on a stream that is gone, or that was answered by other code', async t => {
    for (const gone of ['closed', 'destroyed', 'headersSent'] as const) {
      const { driver, owner, stream, heads } = server()
      stream[gone] = true
      driver.begin()
      t.match(owner.error, { code: 'WS_ERR_CONNECTION_LOST' })
      const refused = server()
      refused.stream[gone] = true
      refused.driver.reject(404)
      refused.driver.begin()
      t.same([heads, refused.heads], [[], []])
      t.same(refused.owner.said, ['failed'])
    }
    const { driver, owner } = server()
    driver.fail(new HandshakeError('WS_ERR_CONNECTION_LOST'))
    t.same(owner.said, ['failed'])
  })

  t.test('negotiates extensions', async t => {
    const offer = { 'sec-websocket-extensions': 'x-test, x-other' }
    const agreed = server(offer, { extensions: [extension] as never })
    agreed.driver.begin()
    t.match(agreed.heads, [{ 'sec-websocket-extensions': 'x-test' }])
    t.match(agreed.owner.info, { extensions: 'x-test' })
    t.match(agreed.owner.negotiated, { rsv: 1 })

    const given = server(offer)
    given.owner.onRequest = () => given.driver.accept({ extensions: 'x-other' })
    given.driver.begin()
    t.match(given.heads, [{ 'sec-websocket-extensions': 'x-other' }])
    t.same(given.owner.negotiated, { rsv: 7, incoming: null, outgoing: null })

    const none = server(offer)
    none.owner.onRequest = () => none.driver.accept({ extensions: '' })
    none.driver.begin()
    t.equal(none.owner.negotiated, null)
  })

  t.test('reads no head from the bytes', async t => {
    t.equal(server().driver.reader, null)
  })
})

t.test('a client', async t => {
  t.test('requests a stream on a session, and takes the response', async t => {
    const { driver, owner, requests, ask, respond, stream } = client({ protocols: ['a'] })
    driver.setHeader('X-A', 'a')
    t.equal(ask(), stream)
    t.throws(() => driver.setHeader('X-B', 'b'), { message: 'the handshake has been sent' })
    driver.begin()
    t.match(requests, [{ ':method': 'CONNECT', ':path': '/chat', 'x-a': 'a', 'sec-websocket-protocol': 'a' }])
    t.same(owner.said, [], 'there is no head to write')
    t.equal(driver.url, 'wss://example.com/chat')
    t.equal(driver.request, null)
    t.equal(driver.isDecided, false)
    t.equal(driver.reader, driver)
    respond({ ':status': 200, 'sec-websocket-protocol': 'a' })
    t.same(owner.said, ['open'])
    t.match(owner.info, { version: 'rfc8441', status: 200, protocol: 'a' })
    driver.late()
    t.equal(owner.error, null)
  })

  t.test('takes a response that arrived before the stream was its wire', async t => {
    const { driver, owner, respond, stream } = client()
    driver.requestOn({ request: () => stream })
    respond({ ':status': 200 })
    t.same(owner.said, [])
    driver.begin()
    t.same(owner.said, ['open'])
  })

  t.test('uses HTTP/1.1 if no stream could be opened after all', async t => {
    const { driver, owner, stream } = client()
    driver.requestOn({ request: () => stream })
    driver.useHttp1()
    driver.begin()
    t.match(owner.said[0], /^GET /)
  })

  t.test('keeps bytes that arrive before the response', async t => {
    const { driver, owner, ask, respond } = client()
    ask()
    t.equal(driver.receive(Buffer.from('one')), null)
    t.equal(driver.receive(Buffer.from('two')), null)
    respond({ ':status': 200 })
    t.same(owner.said, ['kept one', 'kept two', 'open'])
  })

  t.test('takes them as the body if the response refuses', async t => {
    const { driver, ask, respond } = client()
    ask()
    driver.receive(Buffer.from('no, '))
    respond({ ':status': 403, 'x-a': 'a' })
    t.equal(driver.receive(Buffer.from('thanks')), null)
    const error = caught(() => driver.end())
    t.match(error, { code: 'WS_ERR_UNEXPECTED_STATUS', status: 403, headers: { 'x-a': 'a' } })
    t.equal(String(error.body), 'no, thanks')
  })

  t.test('A25: and fails if there are too many', async t => {
    const { driver, owner, ask, respond } = client()
    ask()
    driver.receive(Buffer.alloc(70000))
    respond({ ':status': 403 })
    t.match(owner.error, { code: 'WS_ERR_UNEXPECTED_STATUS', status: 403 })
    t.equal(owner.error!.body.length, 65536)
  })

  t.test('fails if the response is invalid, late, or missing', async t => {
    const wrong = client()
    wrong.ask()
    wrong.respond({ ':status': 200, 'sec-websocket-protocol': 'a' })
    t.match(wrong.owner.error, { code: 'WS_ERR_BAD_RESPONSE' })
    const late = client()
    late.ask()
    late.driver.late()
    t.match(late.owner.error, { code: 'WS_ERR_HANDSHAKE_TIMEOUT' })
    late.respond({ ':status': 200 })
    late.driver.fail(new HandshakeError('WS_ERR_CONNECTION_LOST'))
    t.same(late.owner.said, ['failed'])
    const ended = client()
    ended.ask()
    t.match(
      caught(() => ended.driver.end()),
      { code: 'WS_ERR_BAD_RESPONSE' }
    )
  })

  t.test('throws what the application throws', async t => {
    const { owner, ask, respond } = client()
    ask()
    owner.handshakeDone = () => {
      throw new RangeError('of the application')
    }
    t.throws(() => respond({ ':status': 200 }), RangeError)
  })

  t.test('negotiates extensions', async t => {
    const options: WebSocketOptions = { extensions: [extension] as never }
    const agreed = client(options)
    agreed.ask()
    t.match(agreed.requests, [{ 'sec-websocket-extensions': 'x-test' }])
    agreed.respond({ ':status': 200, 'sec-websocket-extensions': 'x-test' })
    t.match(agreed.owner.negotiated, { rsv: 1 })

    const declined = client(options)
    declined.ask()
    declined.respond({ ':status': 200 })
    t.match(declined.owner, { info: { extensions: '' }, negotiated: null })

    const bad = client(options)
    bad.ask()
    bad.respond({ ':status': 200, 'sec-websocket-extensions': 'x-test; bad' })
    t.match(bad.owner.error, { code: 'WS_ERR_BAD_RESPONSE', status: 200 })

    const opaque = client({ extensions: 'x-any; a=b' })
    opaque.ask()
    opaque.respond({ ':status': 200, 'sec-websocket-extensions': 'x-any' })
    t.match(opaque.owner, { info: { extensions: 'x-any' }, negotiated: { rsv: 7, incoming: null } })

    const fail = () => {
      throw new Error('no offer')
    }
    const failing = { ...extension, createClientSession: () => ({ ...session, generateOffer: fail }) }
    t.match(caught(client({ extensions: [failing] as never }).ask), { code: 'WS_ERR_EXTENSION' })
  })

  t.test('uses HTTP/1.1 if there is no session', async t => {
    const { driver, owner } = client({ headers: { 'X-A': 'a' } })
    driver.setHeader('X-B', 'b')
    t.same(driver.fields, [
      ['X-A', 'a'],
      ['X-B', 'b']
    ])
    driver.begin()
    t.match(owner.said[0], /^GET \/chat HTTP\/1\.1\r\nHost: example\.com\r\n.*X-A: a\r\n.*X-B: b\r\n/s)
    const key = /Key: (.*)\r/.exec(owner.said[0]!)![1]!
    const response = `HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptFor(key)}\r\n\r\n`
    t.same(driver.receive(Buffer.from(`${response}rest`)), Buffer.from('rest'))
    driver.complete()
    t.match(owner.info, { version: 'hybi-13', status: 101 })
    const ended = client()
    ended.driver.begin()
    t.match(
      caught(() => ended.driver.end()),
      { code: 'WS_ERR_BAD_RESPONSE' }
    )
    ended.driver.fail(new HandshakeError('WS_ERR_CONNECTION_LOST'))
    const late = client()
    late.driver.late()
    t.match(
      [ended.owner.error, late.owner.error],
      [{ code: 'WS_ERR_CONNECTION_LOST' }, { code: 'WS_ERR_HANDSHAKE_TIMEOUT' }]
    )
  })
})

t.test('an extension may be added until a stream was requested', async t => {
  const { driver, ask, requests } = client()
  driver.addExtension(extension as never)
  ask()
  t.match(requests, [{ 'sec-websocket-extensions': 'x-test' }])
  t.throws(() => driver.addExtension({ ...extension, name: 'y' } as never), TypeError)
})
