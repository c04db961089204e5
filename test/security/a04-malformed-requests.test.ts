// A04: a malformed Host, Origin or target. Each gets a response; nothing is thrown, neither by write nor later.

import { once } from 'node:events'
import t from 'tap'
import { type WebSocketOptions, WebSocketStream } from '../../lib/index.js'
import { random } from '../support/frames.js'
import { rejection } from '../websocket-stream/sides.js'
import { http2Server, requestWith } from './support.js'

const HOSTS = [
  '',
  ' ',
  'a b',
  '[',
  '[::1',
  '[::1]x',
  '::1',
  'a:b',
  'a:1:2',
  'a:99999',
  'a:999999',
  '%',
  '%zz',
  '\xe4',
  'u@a',
  'http://a',
  '#',
  '?',
  '/',
  '\\',
  '..',
  'a,b',
  '"',
  '<a>',
  '\x7f',
  '[::ffff:999.0.0.1]',
  'xn--a',
  '1.2.3.4.5',
  '0x7f.1',
  '-'
] // prettier-ignore
const TARGETS = [
  '/',
  '//',
  '//a/b',
  '/%',
  '/%zz',
  '/%00',
  '/\\',
  '/a#b',
  '*',
  '?',
  'a',
  'http://',
  'http://[',
  'http://a b/',
  'ws://u:p@/x',
  'ws://a:99999999/',
  'javascript:alert(1)',
  'about:blank',
  'http:a',
  'http:/a',
  '/\xe4',
  '/"<>',
  `/${'a'.repeat(9000)}`,
  'HTTP://A/'
] // prettier-ignore
const ORIGINS = [
  '',
  'null',
  'http://[',
  '::::',
  'http://',
  'a b',
  '\xe4',
  `http://${'a'.repeat(9000)}`,
  '%',
  'http://a:b:c'
]

/** The options under which a request is checked most strictly. */
const OPTIONS: WebSocketOptions = { origins: ['http://a.example'], protocols: ['chat'] }

/** The response of a server on raw bytes to these bytes. */
async function responseTo(bytes: Buffer, options?: WebSocketOptions): Promise<{ status: number; url: string }> {
  const ws = WebSocketStream.server(options)
  ws.write(bytes)
  const [chunk] = await once(ws, 'data')
  const { url } = ws
  ws.destroy()
  await ws.whenClosed()
  return { status: Number(/^HTTP\/1\.1 (\d+) /.exec(String(chunk))?.[1]), url }
}

const isAnswer = (status: number): boolean => status === 101 || (status >= 400 && status < 500)

for (const options of [undefined, OPTIONS]) {
  t.test(`a server on raw bytes answers, ${options === undefined ? 'without' : 'with'} a check of origins`, async t => {
    const requests = [
      ...HOSTS.map(host => requestWith({ Host: host })),
      ...TARGETS.map(target => requestWith({}, `GET ${target} HTTP/1.1`)),
      ...ORIGINS.map(origin => requestWith({ Origin: origin }))
    ]
    for (const request of requests) {
      const { status, url } = await responseTo(request, options)
      t.ok(isAnswer(status), `${status} for ${JSON.stringify(String(request).slice(0, 120))}`)
      // an accepted request has a valid URL
      if (status === 101) t.doesNotThrow(() => new URL(url))
    }
  })

  t.test('a server whose request was read by another parser answers', async t => {
    const usual = { host: 'a', upgrade: 'websocket', connection: 'upgrade' }
    const key = { 'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==', 'sec-websocket-version': '13' }
    const requests = [
      ...HOSTS.map(host => ({ url: '/', headers: { ...usual, ...key, host } })),
      ...TARGETS.map(url => ({ url, headers: { ...usual, ...key } })),
      ...ORIGINS.map(origin => ({ url: '/', headers: { ...usual, ...key, origin } }))
    ]
    for (const request of requests) {
      const ws = WebSocketStream.http({ method: 'GET', ...request }, undefined, options)
      const [chunk] = await once(ws, 'data')
      t.ok(isAnswer(Number(String(chunk).slice(9, 12))), JSON.stringify(request).slice(0, 120))
      ws.destroy()
      await ws.whenClosed()
    }
  })
}

t.test('a request with any byte changed is answered, or more bytes are awaited', async t => {
  const next = random(4)
  const whole = requestWith({ Origin: 'http://a.example' })
  for (let i = 0; i < 500; i++) {
    const bytes = Buffer.from(whole)
    for (let j = 0; j <= i % 3; j++) bytes[Math.floor(next() * bytes.length)] = Math.floor(next() * 256)
    const ws = WebSocketStream.server(OPTIONS)
    ws.write(bytes)
    await new Promise(resolve => setImmediate(resolve))
    const said = ws.read()
    if (said !== null && !isAnswer(Number(String(said).slice(9, 12)))) t.match(String(said), /^HTTP\/1\.1 505 /)
    ws.destroy()
  }
})

t.test('on a client, a response with any byte changed is an error', async t => {
  const next = random(5)
  const whole = Buffer.from(
    'HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n'
  )
  for (let i = 0; i < 500; i++) {
    const bytes = Buffer.from(whole)
    bytes[Math.floor(next() * bytes.length)] = Math.floor(next() * 256)
    const ws = WebSocketStream.client('ws://a.example/')
    const failed = rejection(ws.opened)
    // the request goes out first
    ws.resume()
    await new Promise(resolve => setImmediate(resolve))
    ws.write(bytes)
    ws.end()
    const { name } = await failed
    if (name !== 'HandshakeError') t.fail(`${name} for ${JSON.stringify(String(bytes))}`)
  }
})

t.test('http2: a server answers, or node:http2 resets the stream', async t => {
  const requests = [
    ...HOSTS.map(value => ({ ':authority': value })),
    ...TARGETS.map(value => ({ ':path': value })),
    ...ORIGINS.map(value => ({ origin: value }))
  ]
  const { client, ask } = await http2Server(t, OPTIONS)
  for (const fields of requests) {
    const status = await new Promise<number>(resolve => {
      try {
        const stream = client.request({
          ':method': 'CONNECT',
          ':protocol': 'websocket',
          ':scheme': 'http',
          ':authority': 'a',
          ':path': '/',
          'sec-websocket-version': '13',
          ...fields
        })
        stream.on('response', headers => resolve(Number(headers[':status'])))
        stream.on('error', () => resolve(400)).on('close', () => resolve(400))
      } catch {
        // Node's client refuses to send it
        resolve(400)
      }
    })
    t.ok(status === 200 || (status >= 400 && status < 500), `${status} for ${JSON.stringify(fields).slice(0, 120)}`)
  }
  t.equal((await ask({ origin: 'http://a.example' })).status, 200)
})
