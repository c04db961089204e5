// The proxy that the environment sets for a URL, by the conventions of curl.

import t from 'tap'
import { readDialTarget } from '../../lib/net/dial-target.js'
import { proxyFromEnvironment } from '../../lib/net/proxy-from-environment.js'

const proxyFor = (url: string, environment: Record<string, string>): string =>
  proxyFromEnvironment(readDialTarget(url), environment)

t.test('the scheme decides the variable', async t => {
  const environment = { HTTP_PROXY: 'http://plain', HTTPS_PROXY: 'https://secure' }
  t.equal(proxyFor('ws://a', environment), 'http://plain')
  t.equal(proxyFor('http://a', environment), 'http://plain')
  t.equal(proxyFor('wss://a', environment), 'https://secure')
  t.equal(proxyFor('ws://a', { HTTPS_PROXY: 'http://b' }), '')
  t.equal(proxyFor('wss://a', { HTTP_PROXY: 'http://b' }), '')
})

t.test('lower case takes precedence, and empty values are ignored', async t => {
  t.equal(proxyFor('ws://a', { http_proxy: 'http://small', HTTP_PROXY: 'http://large' }), 'http://small')
  t.equal(proxyFor('wss://a', { https_proxy: 'http://small', HTTPS_PROXY: 'http://large' }), 'http://small')
  t.equal(proxyFor('ws://a', { http_proxy: '', HTTP_PROXY: 'http://large' }), 'http://large')
  t.equal(proxyFor('wss://a', { https_proxy: '', HTTPS_PROXY: '' }), '')
  t.equal(proxyFor('ws://a', { http_proxy: 'http://b', no_proxy: '', NO_PROXY: 'a' }), '')
  t.equal(proxyFor('ws://a', { http_proxy: 'http://b', no_proxy: 'c', NO_PROXY: 'a' }), 'http://b')
})

t.test('a proxy without a scheme is an HTTP proxy', async t => {
  t.equal(proxyFor('ws://a', { http_proxy: 'b:3128' }), 'http://b:3128')
  t.equal(proxyFor('wss://a', { https_proxy: 'u:p@b' }), 'http://u:p@b')
})

t.test('HTTP_PROXY is ignored in a CGI program, where a client can set it (CVE-2016-5385)', async t => {
  const environment = { REQUEST_METHOD: 'GET', HTTP_PROXY: 'http://evil' }
  t.equal(proxyFor('ws://a', environment), '')
  t.equal(proxyFor('ws://a', { ...environment, http_proxy: 'http://good' }), 'http://good')
})

const EXEMPT: Record<string, { yes: string[]; no: string[] }> = {
  '*': { yes: ['ws://a', 'wss://127.0.0.1', 'ws://[::1]'], no: [] },
  '': { yes: [], no: ['ws://a'] },
  ' , ,': { yes: [], no: ['ws://a'] },
  'a.example': {
    yes: ['ws://a.example', 'ws://A.Example.', 'ws://b.a.example:81'],
    no: ['ws://ba.example', 'ws://example']
  },
  '.A.example.': { yes: ['ws://a.example', 'ws://b.a.example'], no: ['ws://ba.example'] },
  '*.a.example': { yes: ['ws://a.example', 'ws://b.a.example'], no: ['ws://ba.example', 'ws://xa.example'] },
  'x, a.example b,c': { yes: ['ws://x', 'ws://a.example', 'ws://b', 'wss://c'], no: ['ws://d'] },
  'a:81': { yes: ['ws://a:81', 'ws://b.a:81'], no: ['ws://a', 'wss://a'] },
  'a:443': { yes: ['wss://a'], no: ['ws://a'] },
  '127.0.0.1': { yes: ['ws://127.0.0.1', 'ws://127.1:82'], no: ['ws://127.0.0.2', 'ws://x.127.0.0.1.example'] },
  '127.0.0.1:82': { yes: ['ws://127.0.0.1:82'], no: ['ws://127.0.0.1'] },
  '10.0.0.0/8 192.168.7.0/24': {
    yes: ['ws://10.1.2.3', 'ws://192.168.7.9'],
    no: ['ws://11.0.0.1', 'ws://192.168.8.1']
  },
  '10.0.0.0/33,10.0.0.0/-1,10.0.0.0/x,10.0.0/8,10.0.0.0/,10.0.0.0/1e1,10.0.0.0/0x8,10.0.0.0/8/8,::/': {
    yes: [],
    no: ['ws://10.0.0.0', 'ws://[::1]']
  },
  '0.0.0.0/0': { yes: ['ws://10.0.0.1'], no: ['ws://[2001:db8::1]', 'ws://a'] },
  '::1': { yes: ['ws://[::1]', 'ws://[0:0:0:0:0:0:0:1]:81'], no: ['ws://[::2]', 'ws://127.0.0.1'] },
  '[::1]': { yes: ['ws://[::1]'], no: ['ws://[::2]'] },
  '[::1]:81': { yes: ['ws://[::1]:81'], no: ['ws://[::1]'] },
  '2001:db8::/32': { yes: ['ws://[2001:db8:1::1]'], no: ['ws://[2001:db9::1]'] },
  '.': { yes: [], no: ['ws://a'] }
}

for (const [list, { yes, no }] of Object.entries(EXEMPT)) {
  t.test(`NO_PROXY=${JSON.stringify(list)}`, async t => {
    const environment = { http_proxy: 'http://p', https_proxy: 'http://p', NO_PROXY: list }
    for (const url of yes) t.equal(proxyFor(url, environment), '', url)
    for (const url of no) t.equal(proxyFor(url, environment), 'http://p', url)
  })
}
