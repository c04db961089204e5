// A33: a request whose target or Host names another host, at the relay: it dials the configured target in any case.

import t from 'tap'
import type { RelayOptions } from '../../lib/net/relay.js'
import { ask } from '../net/relay-sides.js'
import { answerHead } from '../support/raw-peer.js'

const LINES = [
  'GET / HTTP/1.1',
  'GET http://evil.test/ HTTP/1.1',
  'GET http://evil.test:81/a?b HTTP/1.1',
  'GET ws://evil.test HTTP/1.1',
  'GET //evil.test/ HTTP/1.1',
  'GET ///evil.test/ HTTP/1.1',
  'GET /\\evil.test/ HTTP/1.1',
  'GET /@evil.test/ HTTP/1.1',
  'GET /../../evil.test HTTP/1.1',
  'GET /%2F%2Fevil.test HTTP/1.1',
  'GET /http://evil.test/ HTTP/1.1',
  'GET /?url=http://evil.test/ HTTP/1.1',
  'GET /:81/ HTTP/1.1'
]

const FIELDS: Record<string, string>[] = [
  {},
  { Host: 'evil.test' },
  {
    Host: 'evil.test:81',
    Forwarded: 'host=evil.test',
    'X-Forwarded-Host': 'evil.test',
    'X-Original-URL': '//evil.test/'
  }
]

const OPTIONS: Record<string, RelayOptions> = {
  'by default': {},
  'where the path is the request’s': { forwardPath: true },
  'where fields are passed on': {
    forwarded: 'x-forwarded',
    forwardPath: true,
    forwardHeaders: ['x-forwarded-host', 'forwarded', 'x-original-url']
  }
}

for (const [name, options] of Object.entries(OPTIONS)) {
  t.test(`only the configured target is dialled, ${name}`, async t => {
    for (const line of LINES) {
      for (const request of FIELDS) {
        const { calls, client } = ask(t, { options, line, request, target: 'ws://target.test:8080/base?q' })
        const status = client.head().then(
          ({ status }) => status,
          () => 0
        )
        const call = await Promise.race([calls.take(), status])
        if (typeof call === 'number' || call === undefined) {
          t.equal(call, 400, `${line} is refused`)
          continue
        }
        t.equal(call.url.host, 'target.test:8080', `${line} leads to the target`)
        const head = await call.peer.head()
        t.equal(head.headers['host'], 'target.test:8080')
        t.match(head.first, options.forwardPath ? /^GET \/\S* HTTP\/1\.1$/ : /^GET \/base\?q HTTP\/1\.1$/)
        call.peer.write(answerHead(head))
        t.equal(await status, 101)
      }
    }
  })
}

t.test('a path that is passed on remains a path', async t => {
  for (const [asked, sent] of [
    ['//evil.test/a?b', '//evil.test/a?b'],
    ['http://evil.test/a?b', '/a?b'],
    ['http://evil.test?b', '/?b'],
    ['/a/../b', '/a/../b'],
    ['http://evil.test/a/../b', '/a/../b']
  ]) {
    const { calls } = ask(t, { options: { forwardPath: true }, line: `GET ${asked} HTTP/1.1` })
    const { peer, url } = (await calls.take())!
    t.equal((await peer.head()).first, `GET ${sent} HTTP/1.1`)
    t.equal(url.host, 'target.test')
  }
})

t.test('a path that is passed on does not change the path of a unix socket', async t => {
  const { calls } = ask(t, {
    options: { forwardPath: true },
    target: 'ws+unix:///run/app.sock:/base',
    line: 'GET /etc/evil.sock:/x?y HTTP/1.1'
  })
  const { peer, url } = (await calls.take())!
  t.match(url.pathname, /^\/run\/app\.sock:/)
  t.equal((await peer.head()).first, 'GET /etc/evil.sock:/x?y HTTP/1.1')
})
