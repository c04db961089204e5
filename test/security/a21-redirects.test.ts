// A21: a redirect to another origin, or from wss to ws.

import t, { type Test } from 'tap'
import { connect } from '../../lib/index.js'
import { serve } from '../net/servers.js'
import { AUTHORITY, type Certificate, LOCALHOST } from '../support/certificates.js'
import { answerHead, type Head } from '../support/raw-peer.js'
import { rejection } from '../websocket-stream/sides.js'

const SECRETS = {
  Authorization: 'Bearer secret',
  Cookie: 'secret=1',
  'Proxy-Authorization': 'Basic secret',
  'X-Kept': 'a'
}
const SECRET_NAMES = ['authorization', 'cookie', 'proxy-authorization']

/** A server that redirects `/` to `location`, accepts any other path, and records the heads of requests. */
async function server(t: Test, location: (port: number) => string, tls?: Certificate) {
  const heads: Head[] = []
  const port: number = await serve(
    t,
    async peer => {
      const head = await peer.head()
      heads.push(head)
      if (!head.first.startsWith('GET / ')) peer.write(answerHead(head))
      else peer.write(Buffer.from(`HTTP/1.1 302 Found\r\nLocation: ${location(port)}\r\nContent-Length: 0\r\n\r\n`))
    },
    tls
  )
  return { port, heads }
}

for (const secure of [false, true]) {
  const scheme = secure ? 'wss' : 'ws'
  const tls = secure ? LOCALHOST : undefined
  const options = { headers: SECRETS, tls: { ca: AUTHORITY } }
  const open = async (port: number, more: object) =>
    connect(`${scheme}://u:p@localhost:${port}/`, { ...options, ...more })

  t.test(`${scheme}: it is not followed by default`, async t => {
    const { port, heads } = await server(t, port => `${scheme}://localhost:${port}/there`, tls)
    const ws = await open(port, {})
    t.match(await rejection(ws.opened), { code: 'WS_ERR_UNEXPECTED_STATUS', status: 302 })
    await ws.whenClosed()
    t.equal(heads.length, 1)
  })

  const others: [name: string, location: (port: number) => string, tls: Certificate | undefined][] = [
    ['another port', port => `${scheme}://localhost:${port}/there`, tls],
    ['another port, by a user', port => `${scheme}://localhost:${port}/there`.replace('//', '//x:y@'), tls],
    ['another name', port => `${scheme}://127.0.0.1:${port}/there`, tls],
    ['ws', port => `ws://localhost:${port}/there`, undefined],
    ['http', port => `http://localhost:${port}/there`, undefined]
  ]
  for (const [name, location, theirTls] of others) {
    t.test(`${scheme}: to ${name}, credentials are dropped`, async t => {
      const there = await server(t, () => '', theirTls)
      const here = await server(t, () => location(there.port), tls)
      const ws = await open(here.port, { maxRedirects: 1 })
      await ws.opened
      t.match(here.heads[0]!.headers, { authorization: /./, cookie: 'secret=1' })
      const { headers, text } = there.heads[0]!
      for (const secret of SECRET_NAMES) t.equal(headers[secret], undefined, secret)
      t.notMatch(text, /secret|Basic/)
      t.equal(headers['x-kept'], 'a')
      ws.destroy()
      await ws.whenClosed()
    })
  }

  t.test(`${scheme}: within the origin they are kept`, async t => {
    const { port, heads } = await server(t, () => '/there', tls)
    const ws = await open(port, { maxRedirects: 1 })
    await ws.opened
    t.match(heads[1]!.headers, { authorization: 'Bearer secret', cookie: 'secret=1' })
    ws.destroy()
    await ws.whenClosed()
  })
}

t.test('a redirect to anything but a WebSocket is not followed', async t => {
  for (const location of [
    'file:///etc/passwd',
    'ws+unix:///run/a.sock:/',
    'javascript:1',
    'http://[',
    'ftp://a/',
    '//'
  ]) {
    const { port, heads } = await server(t, () => location)
    const ws = connect(`ws://localhost:${port}/`, { maxRedirects: 5 })
    t.match(await rejection(ws.opened), { name: 'HandshakeError' }, location)
    await ws.whenClosed()
    t.equal(heads.length, 1)
  }
})
