// The target of a URL: host and port, or a unix socket.

import t from 'tap'
import { isSameOrigin, readDialTarget } from '../../lib/net/dial-target.js'

/** The part of a target that is compared, on one line. */
function read(url: string | URL): string {
  const target = readDialTarget(url)
  return `${target.url} ${target.secure} ${target.socketPath ?? `${target.hostname} ${target.port}`}`
}

t.test('a ws or wss URL gives the host, the port and whether to use TLS', async t => {
  const cases: Record<string, string> = {
    'ws://a.example': 'ws://a.example/ false a.example 80',
    'wss://a.example/b?c': 'wss://a.example/b?c true a.example 443',
    'http://A.example:81/': 'ws://a.example:81/ false a.example 81',
    'https://u%40:p@a.example/': 'wss://u%40:p@a.example/ true a.example 443',
    'ws://[::1]:82/': 'ws://[::1]:82/ false ::1 82',
    'wss://a.example:0/': 'wss://a.example:0/ true a.example 0'
  }
  for (const [url, wanted] of Object.entries(cases)) {
    t.equal(read(url), wanted)
    t.equal(read(new URL(url)), wanted)
  }
})

t.test('a ws+unix URL gives the path of the socket and the path of the request', async t => {
  const cases: Record<string, string> = {
    'ws+unix:///run/a.sock:/b?c=d:e': 'ws://localhost/b?c=d:e false /run/a.sock',
    'ws+unix:///run/a.sock': 'ws://localhost/ false /run/a.sock',
    'ws+unix:///run/a.sock?c': 'ws://localhost/?c false /run/a.sock',
    'ws+unix:///run/a.sock:b': 'ws://localhost/b false /run/a.sock',
    'ws+unix:///run/a%20b%3Ac%C3%A9:/d%20e': 'ws://localhost/d%20e false /run/a b:cé',
    'WS+UNIX:/run/a.sock:/': 'ws://localhost/ false /run/a.sock',
    'ws+unix:a.sock:/': 'ws://localhost/ false a.sock'
  }
  for (const [url, wanted] of Object.entries(cases)) {
    t.equal(read(url), wanted)
    t.equal(read(new URL(url)), wanted)
  }
})

t.test('an invalid URL is an error', async t => {
  const wrong = ['', 'nonsense', 'ftp://a/', 'ws://', 'ws://a/#', 'ws+unix://host/run/a', 'ws+unix:///run/a:/#b']
  wrong.push(
    'ws+unix:///',
    'ws+unix://',
    'ws+unix:',
    'ws+unix:///:/b',
    'ws+unix:///%zz',
    'ws+unix:///%ff',
    'ws+unix://['
  )
  for (const url of wrong) t.throws(() => readDialTarget(url), SyntaxError, url)
  for (const url of [5, null, undefined, {}]) t.throws(() => readDialTarget(url as unknown as string), TypeError)
})

t.test('A14: control characters in a URL are a TypeError', async t => {
  for (const mark of ['\r', '\n', '\0', '\r\nX: y']) {
    t.throws(() => readDialTarget(`ws://a/${mark}`), TypeError)
    t.throws(() => readDialTarget(`ws+unix:///run/a${mark}:/`), TypeError)
    t.throws(() => readDialTarget(`ws+unix:///run/a:/${mark}`), TypeError)
  }
  t.throws(() => readDialTarget('ws+unix:///run/a%00b:/'), TypeError)
})

t.test('the same origin is the same scheme, host and port, or the same socket', async t => {
  const same = (one: string, other: string): boolean => isSameOrigin(readDialTarget(one), readDialTarget(other))
  t.ok(same('ws://a/b', 'http://u:p@A:80/c?d'))
  t.ok(same('wss://a', 'https://a:443/'))
  t.ok(same('ws+unix:///run/a:/b', 'ws+unix:///run/a:/c'))
  for (const other of ['ws://b', 'ws://a:81', 'wss://a', 'wss://a:80', 'ws://a.', 'ws://sub.a', 'ws+unix:///run/a']) {
    t.notOk(same('ws://a', other), other)
  }
  t.notOk(same('ws+unix:///run/a', 'ws+unix:///run/b'))
  t.notOk(same('ws+unix:///run/a', 'ws://localhost/'))
})
