import t from 'tap'
import { readUrl, withTarget } from '../../lib/handshake/client-url.js'

t.test('the host, path and connection URL of a URL', async t => {
  t.same(readUrl('ws://Example.com'), { url: 'ws://example.com/', host: 'example.com', path: '/', authorization: '' })
  t.match(readUrl('wss://a:8443/b/c?d=e'), { url: 'wss://a:8443/b/c?d=e', host: 'a:8443', path: '/b/c?d=e' })
  t.match(readUrl('ws://[::1]:81/'), { host: '[::1]:81' })
  t.match(readUrl('ws://a/\u00e9 b?\u00e9'), { path: '/%C3%A9%20b?%C3%A9' })
})

t.test('http and https mean ws and wss', async t => {
  t.match(readUrl('http://a/b'), { url: 'ws://a/b', host: 'a' })
  t.match(readUrl('https://a/b'), { url: 'wss://a/b', host: 'a' })
})

t.test('the port is included unless it is the default of the scheme', async t => {
  const hosts = {
    'ws://a:80': 'a',
    'wss://a:443': 'a',
    'http://a:80': 'a',
    'https://a:443': 'a',
    'ws://a:443': 'a:443'
  }
  for (const [url, host] of Object.entries({ ...hosts, 'wss://a:80': 'a:80', 'http://a:443': 'a:443' })) {
    t.equal(readUrl(url).host, host, url)
  }
})

t.test('a URL object is not changed', async t => {
  const url = new URL('https://u:p@a/b')
  t.match(readUrl(url), { url: 'wss://a/b' })
  t.equal(url.href, 'https://u:p@a/b')
})

t.test('a user in the URL becomes Basic authorization, and is removed from the URL', async t => {
  const credentials = (url: string) => {
    const target = readUrl(url)
    t.notMatch(target.url, /@/)
    const [scheme, value = ''] = target.authorization.split(' ')
    t.equal(scheme, 'Basic')
    return Buffer.from(value, 'base64').toString()
  }
  t.equal(credentials('ws://u:p@a/'), 'u:p')
  t.equal(credentials('ws://u@a/'), 'u:')
  t.equal(credentials('ws://:p@a/'), ':p')
  t.equal(credentials('ws://u%40b:%70%3a%zz@a/'), 'u@b:p:%zz', 'percent-decoded as far as that goes')
  t.equal(credentials('ws://\u00fc:\u20ac@a/'), '\u00fc:\u20ac', 'in UTF-8')
  t.throws(() => readUrl('ws://a%3Ab:c@d/'), { name: 'SyntaxError', message: /colon/ }, 'RFC 7617 §2')
})

t.test('path and query can be requested byte for byte', async t => {
  const target = readUrl('wss://u:p@a:8443/b?c')
  const path = '/../%2e%2e\\`"?'
  t.strictSame(withTarget(target, path), { ...target, path, url: `wss://a:8443${path}` })
  for (const wrong of ['', 'a', '*', '/a b', '/a\r\nb: c', '/a\n', '/a\0', '/a#', '/\u00e9', '/\x7f', '/\u010a']) {
    t.throws(() => withTarget(target, wrong), TypeError, JSON.stringify(wrong))
  }
})

t.test('a URL that is not a WebSocket URL is a SyntaxError', async t => {
  for (const url of [
    '',
    'a',
    '/a',
    'ftp://a/',
    'mailto:a',
    'ws:',
    'ws://',
    'ws://a:99999/',
    'ws://a b/',
    'ws://a/#',
    'ws://a/#b'
  ]) {
    t.throws(() => readUrl(url), { name: 'SyntaxError' }, url)
  }
})

t.test('A14: control characters in a URL are a TypeError, though new URL() would drop them', async t => {
  for (const url of ['ws://a/\r\nX: y', 'ws://a\n/', '\tws://a/', 'ws://a/\x00', 'ws://a/\x7f']) {
    t.throws(() => readUrl(url), { name: 'TypeError', message: /control/ }, JSON.stringify(url))
  }
  for (const url of [undefined, null, 1, {}, ['ws://a/']]) {
    t.throws(() => readUrl(url as string), { name: 'TypeError', message: /must be/ })
  }
})

t.test('the error for a host without a scheme suggests URLs', async t => {
  for (const given of ['localhost:8080', 'localhost', '127.0.0.1:8080/chat?a=1', '[::1]:80', 'www.example/chat']) {
    const message = new RegExp(`; did you mean ws://${given.replace(/[[\]?.]/g, '\\$&')} \\?$`)
    t.throws(() => readUrl(given), { name: 'SyntaxError', message })
  }
  t.throws(() => readUrl(new URL('localhost:8080')), /did you mean ws:\/\/localhost:8080 \?$/)
  for (const given of ['', 'ftp://x', 'mailto:a@b.example', 'a:99999', '/chat', ':80']) {
    t.throws(() => readUrl(given), /^(?!.*did you mean)/, given)
  }
})
