// A22: a response that opens nothing, followed by bytes: nothing is tunnelled before a verified handshake, at either end.

import t from 'tap'
import { connect, WebSocketStream } from '../../lib/index.js'
import { ask } from '../net/relay-sides.js'
import { proxy, serve } from '../net/servers.js'
import { acceptFor, answerHead, requestHead, TEXT, wireFrame } from '../support/raw-peer.js'
import { rejection, settle } from '../websocket-stream/sides.js'
import { greet } from './support.js'

const FRAME = wireFrame(TEXT, 'smuggled')
const ANSWERS: [name: string, head: string][] = [
  ['200', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
  [
    '200 that says it upgrades',
    'HTTP/1.1 200 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n'
  ],
  ['426', 'HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n'],
  ['101 without a proof', 'HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n'],
  [
    '101 with the proof of another key',
    `HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptFor('a')}\r\n\r\n`
  ]
]

for (const [name, head] of ANSWERS) {
  t.test(`client: ${name} opens nothing, and the bytes after it are not messages`, async t => {
    const { ws, peer } = await greet(t, 'client')
    const got: unknown[] = []
    ws.on('message', message => got.push(message))
    ws.text('secret')
    await peer.head()
    peer.write(Buffer.from(head), FRAME)
    t.match(await rejection(ws.opened), { name: 'HandshakeError' })
    t.equal(String(await peer.rest()), '', 'what waited was not sent')
    t.match(await ws.whenClosed(), { code: 1006 })
    t.same(got, [])
  })

  t.test(`through a proxy, ${name} from the target opens nothing`, async t => {
    let heard: Buffer = Buffer.alloc(0)
    const target = await serve(t, async peer => {
      await peer.head()
      peer.write(Buffer.from(head), FRAME)
      heard = await peer.rest()
    })
    const { port } = await proxy(t)
    const ws = connect(`ws://127.0.0.1:${target}/`, { proxy: `http://127.0.0.1:${port}` })
    ws.text('secret')
    t.match(await rejection(ws.opened), { name: 'HandshakeError' })
    await ws.whenClosed()
    t.equal(heard.length, 0)
  })

  t.test(`relay: ${name} from the target opens no tunnel, in either direction`, async t => {
    const { ws, client, calls } = ask(t)
    // bytes that a client smuggles in after its request
    client.write(client.frame(TEXT, 'early'), Buffer.from('GET /admin HTTP/1.1\r\nHost: a\r\n\r\n'))
    const { peer } = (await calls.take())!
    await peer.head()
    await settle()
    t.equal(peer.input.length, 0, 'nothing is sent on before a response')
    peer.write(Buffer.from(head), FRAME)
    const response = await client.head()
    t.ok(response.status >= 200 && response.status !== 101, `${response.status}`)
    t.notMatch(String(await client.rest()), /smuggled/)
    t.equal(String(await peer.rest()), '')
    t.not(ws.readyState, 'open')
  })
}

t.test('server: bytes after a refused request are dropped', async t => {
  const { ws, peer } = await greet(t, 'server')
  ws.on('request', () => ws.reject(403))
  const got: unknown[] = []
  ws.on('message', message => got.push(message))
  peer.write(requestHead(), peer.frame(TEXT, 'early'), requestHead())
  t.equal((await peer.head()).status, 403)
  t.notMatch(String(await peer.rest()), /HTTP/)
  t.same(got, [])
})

t.test('a valid response opens, and the bytes after it are messages', async t => {
  const { ws, peer } = await greet(t, 'client')
  const message = new Promise(resolve => ws.on('message', resolve))
  peer.write(answerHead(await peer.head()), FRAME)
  t.equal(await message, 'smuggled')
})

t.test('client: a response that arrives before the request opens nothing, and nothing throws', async t => {
  for (const [what, field] of [
    ['without Sec-WebSocket-Accept', ''],
    ['with an empty Sec-WebSocket-Accept', 'Sec-WebSocket-Accept:\r\n'],
    ['with the value that fits no key', `Sec-WebSocket-Accept: ${acceptFor('')}\r\n`]
  ] as const) {
    const ws = WebSocketStream.client('ws://a.example/')
    let [thrown, failure]: [unknown, Error | undefined] = [undefined, undefined]
    ws.on('error', error => {
      failure = error
    })
    try {
      ws.write(`HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${field}\r\n`)
    } catch (error) {
      thrown = error
    }
    t.equal(thrown, undefined, 'nothing is thrown')
    ws.resume()
    await settle()
    t.equal(ws.readyState, 'closed', `${what}: it has failed`)
    t.match(failure, { code: 'WS_ERR_BAD_RESPONSE' }, what)
    ws.destroy()
  }
})
