// How a relay joins two handshakes: the request for the target, the response for the client, and what happens to each when the other fails.

import { PassThrough } from 'node:stream'
import t from 'tap'
import { answerHead, type Head } from '../support/raw-peer.js'
import { rejection, settle } from '../websocket-stream/sides.js'
import { ask, open, type RelaySetup } from './relay-sides.js'

/** The request that the target gets. */
async function asked(t: Parameters<typeof open>[0], setup: RelaySetup): Promise<Head> {
  return (await open(t, setup)).asked
}

t.test("the target gets the client's subprotocols and extensions", async t => {
  const { asked, answered, ws, relay } = await open(t, {
    request: {
      'Sec-WebSocket-Protocol': 'chat, superchat',
      'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits, x-other; a="b"'
    },
    response: {
      'Sec-WebSocket-Protocol': 'superchat',
      'Sec-WebSocket-Extensions': 'permessage-deflate; server_no_context_takeover'
    }
  })
  t.equal(asked.first, 'GET /there?a=b HTTP/1.1')
  t.equal(asked.headers['host'], 'target.test')
  t.equal(asked.headers['sec-websocket-protocol'], 'chat, superchat')
  t.equal(asked.headers['sec-websocket-extensions'], 'permessage-deflate; client_max_window_bits, x-other; a="b"')
  t.equal(answered.headers['sec-websocket-protocol'], 'superchat')
  t.equal(answered.headers['sec-websocket-extensions'], 'permessage-deflate; server_no_context_takeover')
  t.equal(ws.protocol, 'superchat')
  t.equal((await relay.opened).protocol, 'superchat')
})

t.test('nothing else of the request is passed on by default', async t => {
  const request = {
    Cookie: 'a=1',
    Authorization: 'Basic eA==',
    Origin: 'http://a.test',
    'X-Own': 'x',
    'X-Forwarded-For': 'me'
  }
  const plain = await asked(t, { request })
  for (const name of Object.keys(request)) t.equal(plain.headers[name.toLowerCase()], undefined, name)
  const chosen = await asked(t, { request, options: { forwardHeaders: ['Cookie', 'Origin', 'X-Absent'] } })
  t.match(chosen.headers, { cookie: 'a=1', origin: 'http://a.test' })
  t.equal(chosen.headers['authorization'], undefined)
  const made = await asked(t, {
    request,
    options: { forwardHeaders: ({ headers }) => ({ 'X-User': `of ${headers['x-own'] as string}` }) }
  })
  t.equal(made.headers['x-user'], 'of x')
})

t.test('fields named in Connection are not passed on', async t => {
  const { headers } = await asked(t, {
    request: { Connection: 'Upgrade, X-Hop', 'X-Hop': 'a', 'X-End': 'b' },
    options: { forwardHeaders: ['x-hop', 'x-end'] }
  })
  t.equal(headers['x-hop'], undefined)
  t.equal(headers['x-end'], 'b')
})

t.test('the configuration takes precedence over the client', async t => {
  const { headers } = await asked(t, {
    request: { 'X-User': 'root', 'X-Rest': 'kept' },
    options: { forwardHeaders: ['x-user', 'x-rest'], connect: { headers: { 'X-User': 'nobody' } } }
  })
  t.match(headers, { 'x-user': 'nobody', 'x-rest': 'kept' })
})

t.test('the client is named to the target on request', async t => {
  const request = { 'X-Forwarded-For': '10.0.0.1', 'X-Forwarded-Proto': 'gopher', Forwarded: 'for=10.0.0.1' }
  const ours = await asked(t, { request, options: { forwarded: 'x-forwarded' } })
  t.match(ours.headers, {
    'x-forwarded-for': 'unknown',
    'x-forwarded-host': 'example.com',
    'x-forwarded-proto': 'http',
    forwarded: undefined
  })
  const behind = await asked(t, {
    request: { ...request, 'X-Forwarded-Host': 'front.test' },
    options: { forwarded: 'x-forwarded', forwardHeaders: ['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host'] }
  })
  t.match(behind.headers, {
    'x-forwarded-for': '10.0.0.1, unknown',
    'x-forwarded-host': 'front.test',
    'x-forwarded-proto': 'gopher'
  })
  const standard = await asked(t, { request, options: { forwarded: 'rfc7239', forwardHeaders: ['forwarded'] } })
  t.equal(standard.headers['forwarded'], 'for=10.0.0.1, for=unknown;host="example.com";proto=http')
})

t.test('header fields of the response are returned by name', async t => {
  const { answered } = await open(t, {
    response: { 'Set-Cookie': 'a=b', 'X-Inside': '10.0.0.7' },
    options: { returnHeaders: ['set-cookie', 'x-absent'] }
  })
  t.equal(answered.headers['set-cookie'], 'a=b')
  t.equal(answered.headers['x-inside'], undefined)
})

t.test('subprotocols of the configuration are independent of the client’s', async t => {
  const { asked, answered } = await open(t, {
    request: { 'Sec-WebSocket-Protocol': 'outside' },
    response: { 'Sec-WebSocket-Protocol': 'inside' },
    server: { protocols: ['outside'] },
    options: { connect: { protocols: ['inside'] } }
  })
  t.equal(asked.headers['sec-websocket-protocol'], 'inside')
  t.equal(answered.headers['sec-websocket-protocol'], 'outside')
})

t.test('a function can choose the target', async t => {
  for (const target of [
    () => new URL('ws://other.test/x'),
    async () => ({ url: 'ws://other.test/x', headers: { 'X-Own': 'y' } }),
    { url: 'ws://other.test/x', headers: undefined }
  ]) {
    const { headers, first } = await asked(t, { target })
    t.equal(headers['host'], 'other.test')
    t.equal(first, 'GET /x HTTP/1.1')
  }
})

t.test('the path of the request can be used', async t => {
  const { first } = await asked(t, { options: { forwardPath: true }, line: 'GET /a/b%20c?d=e HTTP/1.1' })
  t.equal(first, 'GET /a/b%20c?d=e HTTP/1.1')
  const bare = await asked(t, { options: { forwardPath: true }, line: 'GET http://example.com HTTP/1.1' })
  t.equal(bare.first, 'GET / HTTP/1.1')
})

t.test('a client that the application answers later is relayed then', async t => {
  const { client, ws } = await open(t)
  t.equal(ws.readyState, 'open')
  client.close()
})

t.test('a refusal by the target is returned', async t => {
  const { relay, client, calls } = ask(t)
  const { peer } = (await calls.take())!
  await peer.head()
  const body = 'not for you'
  const fields = 'WWW-Authenticate: Basic realm="r"\r\nContent-Type: text/x-own\r\nSet-Cookie: s=1\r\n'
  peer.write(Buffer.from(`HTTP/1.1 401 No\r\n${fields}Content-Length: ${body.length}\r\n\r\n${body}`))
  const head = await client.head()
  t.equal(head.status, 401)
  t.match(head.headers, { 'www-authenticate': 'Basic realm="r"', 'content-type': 'text/x-own' })
  t.equal(head.headers['set-cookie'], undefined)
  t.equal((await client.rest()).toString(), body)
  client.end()
  t.match(await rejection(relay.opened), { code: 'WS_ERR_UNEXPECTED_STATUS', status: 401 })
  t.match(await relay.closed, { client: { wasClean: false }, target: { wasClean: false } })
})

t.test('a body without an end is cut', async t => {
  const { client, calls } = ask(t)
  const { peer } = (await calls.take())!
  await peer.head()
  peer.write(Buffer.from('HTTP/1.1 404 No\r\n\r\n'), Buffer.alloc(100_000, 'x'))
  t.equal((await client.head()).status, 404)
  t.equal((await client.rest()).length, 65536)
})

t.test('refusals that are not returned', async t => {
  const cases: [string, string, RelaySetup['options']?][] = [
    ['a success that is none', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
    ['what is no HTTP', 'SSH-2.0-x\r\n\r\n'],
    ['where it is not wanted', 'HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n', { returnRefusals: false }]
  ]
  for (const [name, response, options = {}] of cases) {
    t.test(name, async t => {
      const { relay, client, calls } = ask(t, { options })
      const { peer } = (await calls.take())!
      await peer.head()
      peer.write(Buffer.from(response))
      t.equal((await client.head()).status, 502)
      await t.rejects(relay.opened)
    })
  }
})

t.test('an unreachable target is a 502', async t => {
  const broken = new Error('no route')
  for (const createConnection of [() => new PassThrough().destroy(broken), () => Promise.reject(broken)]) {
    const { relay, client } = ask(t, { options: { connect: { createConnection } } })
    t.equal((await client.head()).status, 502)
    t.match(await rejection(relay.opened), { code: 'WS_ERR_CONNECTION_LOST' })
  }
})

t.test('a target that takes too long is a 504, by either timeout', async t => {
  for (const setup of [
    { options: { connect: { handshakeTimeout: 30 } } },
    { server: { handshakeTimeout: 30 } }
  ] satisfies RelaySetup[]) {
    const { relay, client } = ask(t, setup)
    t.equal((await client.head()).status, 504)
    client.end()
    t.match(await rejection(relay.opened), { code: 'WS_ERR_HANDSHAKE_TIMEOUT' })
    t.match(await relay.closed, { client: { wasClean: false }, target: { code: 1006 } })
  }
})

t.test('an invalid configuration is a 500', async t => {
  for (const target of [
    () => {
      throw new Error('no such tenant')
    },
    () => Promise.reject(new Error('no such tenant')),
    () => undefined as never,
    'http//nowhere',
    { url: 'ws://a.test/', noSuchOption: 1 } as never
  ]) {
    const { relay, client } = ask(t, { target })
    t.equal((await client.head()).status, 500)
    client.end()
    t.match(await rejection(relay.opened), { code: 'WS_ERR_REJECTED', status: 500 })
    t.match(await relay.closed, { client: { wasClean: false }, target: null })
  }
})

t.test('a client that leaves meanwhile aborts dialling the target', async t => {
  const { relay, client, calls } = ask(t)
  const { peer } = (await calls.take())!
  await peer.head()
  client.reset()
  await peer.ended()
  await t.rejects(relay.opened)
  t.match(await relay.closed, { client: { code: 1006, initiator: 'peer' }, target: { code: 1006, initiator: 'local' } })
})

t.test('if a client leaves before there is a target, nothing is dialled', async t => {
  let choose: (target: string) => void = () => {}
  const target = (): Promise<string> => new Promise(resolve => (choose = resolve))
  const { relay, client, calls } = ask(t, { target })
  await settle()
  client.reset()
  t.match(await relay.closed, { target: null })
  choose('ws://a.test/')
  await settle()
  calls.end()
  t.equal(await calls.take(), undefined)
})

t.test('a relay that is closed while the target is dialled answers 503', async t => {
  const { relay, client, calls } = ask(t)
  const { peer } = (await calls.take())!
  await peer.head()
  relay.close()
  t.equal((await client.head()).status, 503)
  client.end()
  await peer.ended()
  await relay.closed
})

t.test('a client that cannot be accepted after the target has opened', async t => {
  const { relay, client, calls, ws } = ask(t)
  const { peer } = (await calls.take())!
  const head = await peer.head()
  ws.reject(418)
  peer.write(answerHead(head))
  t.equal((await client.head()).status, 418)
  await peer.ended()
  await t.rejects(relay.opened)
})

t.test('a request that other code accepts is not relayed', async t => {
  const { relay, client, calls, ws } = ask(t)
  const { peer } = (await calls.take())!
  ws.accept()
  t.equal((await client.head()).status, 101)
  await peer.ended()
  t.match(await relay.closed, { client: { code: 1006 } })
})
