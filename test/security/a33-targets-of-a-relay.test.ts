// A33: at a relay, a request whose target or Host names another host. The relay dials only the configured target.

import t from 'tap'
import { ask, TARGET } from '../net/relay-sides.js'

const LINES = [
  'GET / HTTP/1.1',
  'GET http://evil.example/ HTTP/1.1',
  'GET ws://evil.example:1/x HTTP/1.1',
  'GET wss://evil.example/ HTTP/1.1',
  'GET //evil.example/ HTTP/1.1',
  'GET ///evil.example/ HTTP/1.1',
  'GET /\\evil.example/ HTTP/1.1',
  'GET /@evil.example/ HTTP/1.1',
  'GET /:1@evil.example/ HTTP/1.1',
  'GET /..//evil.example/ HTTP/1.1',
  'GET /?//evil.example/ HTTP/1.1',
  'GET /http://evil.example/ HTTP/1.1',
  'GET http://target.test@evil.example/ HTTP/1.1',
  'GET http://evil.example HTTP/1.1',
  'GET /%2f%2fevil.example/ HTTP/1.1'
]
const HOSTS = ['evil.example', 'evil.example:443', '127.0.0.1:22', '[::1]:22', 'localhost']
const FORWARDING = [
  {},
  { forwardPath: true },
  { forwardPath: true, forwarded: 'x-forwarded' },
  { forwarded: 'rfc7239' }
] as const

for (const options of FORWARDING) {
  for (const line of LINES) {
    t.test(`${JSON.stringify(options)}: ${line}`, async t => {
      for (const host of HOSTS) {
        const { client, calls } = ask(t, { line, request: { Host: host }, options })
        const call = await Promise.race([calls.take(), client.head().then(() => null)])
        // malformed targets are refused, and nothing is dialled
        if (call === null || call === undefined) continue
        t.equal(call.url.host, 'target.test')
        t.equal(call.url.protocol, 'ws:')
        const { first, headers } = await call.peer.head()
        t.equal(headers['host'], 'target.test', 'nor does the target hear another name')
        t.match(first, /^GET \/[^ ]* HTTP\/1\.1$/)
      }
    })
  }
}

t.test("the target's own path is kept", async t => {
  for (const line of LINES) {
    const { client, calls } = ask(t, { line })
    const call = await Promise.race([calls.take(), client.head().then(() => null)])
    if (call) t.equal(call.url.href, TARGET)
  }
})

t.test('a target chosen by a function is checked like a configured one', async t => {
  const { client } = ask(t, { target: () => 'ftp://evil.example/' })
  t.equal((await client.head()).status, 500)
})

t.test('resolving the request against the target would lead elsewhere, and a relay never does it', async t => {
  t.equal(new URL('//evil.example/', TARGET).host, 'evil.example')
  const { calls } = ask(t, { line: 'GET //evil.example/ HTTP/1.1', target: request => new URL(request.url!, TARGET) })
  t.equal((await calls.take())!.url.host, 'evil.example')
})
