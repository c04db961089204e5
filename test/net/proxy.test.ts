// The proxy of a call: given, or found in the environment if that was requested.

import t from 'tap'
import { readDialTarget } from '../../lib/net/dial-target.js'
import { proxyTo, readProxy } from '../../lib/net/proxy.js'

t.test('the URL of a proxy', async t => {
  t.same(readProxy('http://a.example'), { secure: false, hostname: 'a.example', port: 80, authorization: '' })
  t.same(readProxy(new URL('https://u:p@[::1]/')), {
    secure: true,
    hostname: '::1',
    port: 443,
    authorization: `Basic ${Buffer.from('u:p').toString('base64')}`
  })
  t.equal(readProxy('http://a:3128').port, 3128)
})

t.test('an invalid URL is an error', async t => {
  for (const url of ['', 'a:3128', 'socks5://a', 'ws://a', 'wss://a', 'http://', 'http://a:0']) {
    t.throws(() => readProxy(url), SyntaxError, url)
  }
  for (const url of ['socks5://a', 'localhost:3128', new URL('ws://a')])
    t.throws(() => readProxy(url), /scheme of a proxy/)
  for (const url of [5, null, {}, true]) t.throws(() => readProxy(url as unknown as string), TypeError)
})

t.test('A14: CR, LF and NUL in the URL of a proxy are a TypeError', async t => {
  for (const mark of ['\r', '\n', '\0']) t.throws(() => readProxy(`http://a${mark}b`), TypeError)
})

t.test('the environment is used only on request, and never for a unix socket', async t => {
  const { env } = process
  t.teardown(() => {
    process.env = env
  })
  process.env = { http_proxy: 'http://p:1' }
  const target = readDialTarget('ws://a')
  t.equal(proxyTo(target, undefined), null)
  t.match(proxyTo(target, 'environment'), { hostname: 'p', port: 1 })
  t.equal(proxyTo(readDialTarget('ws+unix:///run/a'), 'environment'), null)
  const given = readProxy('http://q')
  t.equal(proxyTo(target, given), given)
  process.env = {}
  t.equal(proxyTo(target, 'environment'), null)
  process.env = { http_proxy: 'socks5://p:1' }
  t.throws(() => proxyTo(target, 'environment'), SyntaxError)
})
