// The target of a redirect, and what is not sent there.

import t from 'tap'
import { HandshakeError, type Headers } from '../../lib/errors.js'
import { type ConnectOptions, readConnectOptions } from '../../lib/net/connect-options.js'
import { readDialTarget } from '../../lib/net/dial-target.js'
import { type Redirect, redirectOf } from '../../lib/net/redirect.js'

const IDENTITY = { cert: 'a', key: 'b', passphrase: 'c', pfx: 'd', servername: 'e', session: Buffer.from('f') }
const TRUST = { ca: 'g', rejectUnauthorized: false }

function refusal(location: string | string[] | undefined, status = 302): HandshakeError {
  return new HandshakeError('WS_ERR_UNEXPECTED_STATUS', { status, headers: { location } as Headers })
}

function redirect(from: string, location: string, options: ConnectOptions = {}): Redirect | null {
  return redirectOf(readDialTarget(from), readConnectOptions(options).dial, refusal(location))
}

const urlOf = (next: Redirect | null): string | undefined => next?.target.url.href

t.test('the five statuses with a Location are redirects', async t => {
  const from = readDialTarget('ws://a/b')
  const { dial } = readConnectOptions()
  for (const status of [301, 302, 303, 307, 308]) t.ok(redirectOf(from, dial, refusal('/c', status)))
  for (const status of [0, 200, 300, 304, 305, 306, 400, 407])
    t.equal(redirectOf(from, dial, refusal('/c', status)), null)
  t.equal(redirectOf(from, dial, refusal(undefined)), null)
  t.equal(redirectOf(from, dial, refusal(['/c'])), null)
  const wrong = new HandshakeError('WS_ERR_BAD_RESPONSE', { status: 302, headers: { location: '/c' } })
  t.equal(redirectOf(from, dial, wrong), null)
})

t.test('a Location is resolved as a reference', async t => {
  const cases: [string, string, string | undefined][] = [
    ['ws://a/b/c?d', 'e', 'ws://a/b/e'],
    ['ws://a/b/c?d', '/e?f#g', 'ws://a/e?f'],
    ['ws://a/b/c?d', '//h/e', 'ws://h/e'],
    ['ws://a/b', 'http://h:81/e', 'ws://h:81/e'],
    ['ws://a/b', 'https://h/', 'wss://h/'],
    ['wss://a/b', '/e', 'wss://a/e'],
    ['ws://a/b', 'ftp://h/', undefined],
    ['ws://a/b', 'http://', undefined],
    ['ws://a/b', 'javascript:alert(1)', undefined],
    ['ws://a/b', 'ws+unix:///run/x:/y', undefined],
    ['ws+unix:///run/x:/b', 'ws+unix:///run/y:/y', undefined],
    ['ws+unix:///run/x:/b', '/e', 'ws://localhost/e'],
    ['ws+unix:///run/x:/b', 'ws://h/e', 'ws://h/e']
  ]
  for (const [from, location, wanted] of cases) t.equal(urlOf(redirect(from, location)), wanted, `${from} ${location}`)
})

t.test('a unix socket is kept if only the path differs', async t => {
  t.equal(redirect('ws+unix:///run/x:/b', '/e')?.target.socketPath, '/run/x')
  t.equal(redirect('ws+unix:///run/x:/b', 'ws://h/e')?.target.socketPath, undefined)
  t.equal(redirect('ws://localhost/b', '/e')?.target.socketPath, undefined)
})

t.test('A21: within an origin everything is kept', async t => {
  for (const location of ['/c', 'http://a/c', 'ws://A:80/c', 'ws://x:y@a/c']) {
    const next = redirect('ws://u:p@a/b', location, { tls: { ...TRUST, ...IDENTITY } })
    t.equal(urlOf(next), 'ws://u:p@a/c')
    t.same(next?.dropped, [])
    t.same(next?.dial.tls, { ...TRUST, ...IDENTITY })
  }
})

t.test('A21: to another origin, or from wss to ws, credentials are dropped', async t => {
  const elsewhere = [
    'wss://b/',
    'wss://a:444/',
    'wss://sub.a/',
    'wss://a.b/',
    'ws://a/',
    'http://a:443/',
    'wss://x:y@b/'
  ]
  for (const location of elsewhere) {
    const next = redirect('wss://u:p@a/b', location, { tls: { ...TRUST, ...IDENTITY } })
    t.match(urlOf(next), /^wss?:\/\/[^@]+$/)
    t.same(next?.dropped, ['authorization', 'cookie', 'proxy-authorization', 'host'])
    t.same(next?.dial.tls, TRUST)
  }
})
