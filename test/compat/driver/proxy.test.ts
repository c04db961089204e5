// CONNECT with the interface of websocket-driver, beyond the rows of test/promises.

import t from 'tap'
import { settle } from '../../websocket-stream/sides.js'
import { answerTo, client } from './seen.js'

const OK = 'HTTP/1.1 200 OK\r\n\r\n'

function proxied(url?: string) {
  const seen = client({}, url)
  const proxy = seen.driver.proxy('http://proxy.example')
  const said: unknown[] = []
  for (const event of ['connect', 'close', 'end', 'drain']) proxy.on(event, () => said.push(event))
  proxy.on('data', data => said.push(String(data)))
  proxy.on('error', error => said.push(error.message))
  return { ...seen, proxy, said }
}

t.test('the port is the default of the scheme, unless the URL has one', async t => {
  for (const [url, authority] of [
    ['ws://a/', 'a:80'],
    ['wss://a/', 'a:443'],
    ['wss://a:8443/', 'a:8443'],
    ['ws://[::1]/', '[::1]:80']
  ] as const) {
    const { proxy, said } = proxied(url)
    proxy.start()
    t.ok(String(said[0]).startsWith(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n`), authority)
    t.equal(proxy.start(), false)
    t.equal(proxy.setHeader('X-Late', 'a'), false)
    proxy.destroy()
  }
})

t.test('header fields can be added to the request, including authorization', async t => {
  const { proxy, said } = proxied()
  proxy.setHeader('Host', 'other')
  proxy.setHeader('Proxy-Authorization', 'Bearer a')
  proxy.setHeader('X-A', 'b')
  proxy.start()
  t.match(said[0], /\r\nProxy-Authorization: Bearer a\r\n.*X-A: b/s)
  t.notMatch(said[0], 'other')
})

t.test('bytes from the tunnel after the response are passed to the driver', async t => {
  const { proxy, driver, events, take } = proxied()
  proxy.start()
  let request = ''
  proxy.on('connect', () => {
    driver.start()
    request = take()
  })
  proxy.write(OK)
  t.same([proxy.readable, proxy.writable, proxy.write('more'), proxy.end()], [false, false, false, proxy])
  driver.io.write(answerTo(request))
  t.same(events, [['open']])
  const early = proxied()
  early.proxy.start()
  early.proxy.write(`${OK}HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n`)
  early.driver.start()
  t.match(early.events, [['error'], ['close', 1002]])
})

t.test('the response may arrive in pieces, through write and end', async t => {
  const { proxy, said } = proxied()
  proxy.start()
  said.splice(0)
  proxy.pause()
  t.equal(proxy.write(OK.slice(0, 10)), false)
  proxy.resume()
  t.equal(proxy.write(Buffer.from(OK.slice(10, 12))), true)
  proxy.end(OK.slice(12))
  t.same(said, ['drain', 'connect', 'close', 'end'])
})

t.test('a socket that ends without a response is an error', async t => {
  const { proxy, said } = proxied()
  proxy.end(() => {})
  await settle()
  t.same(said, ['close', 'end'])
})

t.test('an invalid response of the proxy is an error', async t => {
  const { proxy, said } = proxied()
  proxy.write('nonsense\r\n\r\n')
  await settle()
  t.match(said, [/^cannot reach ws:\/\/example\.com\/chat through the proxy: /, 'close', 'end'])
  t.equal(proxy.statusCode, undefined)
  const ended = proxied()
  ended.proxy.write('nonsense\r\n\r\n')
  ended.proxy.end()
  await settle()
  t.same(ended.said, ['close', 'end'], 'nobody asks any more')
  const refused = proxied()
  refused.proxy.write('HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n')
  refused.proxy.end()
  await settle()
  t.match(refused.said, [/^cannot reach .*403/, 'close', 'end'])
  t.equal(refused.proxy.statusCode, 403)
  // its end is that of the body
  const cut = proxied()
  cut.proxy.write('HTTP/1.1 407 No\r\nConnection: close\r\n\r\nwho are you?')
  cut.proxy.end()
  await settle()
  t.match(cut.said, [/^cannot reach .*407/, 'close', 'end'])
  cut.proxy.end()
  t.equal(cut.said.length, 3)
  // over by a listener of the error
  const left = proxied()
  left.proxy.on('error', () => left.proxy.end())
  left.proxy.write('nonsense\r\n\r\n')
  await settle()
  t.match(left.said, [/^cannot reach/, 'close', 'end'])
})
