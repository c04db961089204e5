// The options of connect, and the errors for invalid ones.

import { createServer } from 'node:http'
import t from 'tap'
import { acceptWebSockets, connect, WebSocketStream } from '../../lib/index.js'
import { type ConnectOptions, readConnectOptions } from '../../lib/net/connect-options.js'

const read = (options: unknown) => () => readConnectOptions(options as ConnectOptions)

t.test('without options there are the defaults', async t => {
  const wanted = {
    tls: {},
    proxyTls: {},
    socket: {},
    proxy: undefined,
    createConnection: undefined,
    maxRedirects: 0,
    http2: false,
    given: {}
  }
  t.same(readConnectOptions(), { dial: wanted, stream: {} })
  t.same(readConnectOptions({}), { dial: wanted, stream: {} })
  const names = [
    'tls',
    'proxyTls',
    'socket',
    'proxy',
    'createConnection',
    'maxRedirects',
    'http2',
    'protocols',
    'signal'
  ]
  const undefineds = Object.fromEntries(names.map(name => [name, undefined]))
  t.same(readConnectOptions(undefineds), { dial: wanted, stream: {} })
})

t.test(
  'options for dialling are separated, the others go to the WebSocketStream, and `undefined` is ignored',
  async t => {
    const lookup = () => {}
    const { dial, stream } = readConnectOptions({
      protocols: ['a'],
      maxHeaders: 5,
      tls: { ca: 'x', rejectUnauthorized: undefined as unknown as boolean, servername: 'y' },
      proxyTls: { rejectUnauthorized: false },
      socket: { family: 4, lookup, localAddress: undefined },
      proxy: 'http://u:p@a',
      maxRedirects: Number.POSITIVE_INFINITY,
      http2: true
    })
    t.same(stream, { protocols: ['a'], maxHeaders: 5 })
    t.same(Object.keys(dial.tls), ['ca', 'servername'])
    t.same(dial.proxyTls, { rejectUnauthorized: false })
    t.same(dial.socket, { family: 4, lookup })
    t.match(dial, {
      proxy: { hostname: 'a' },
      maxRedirects: Number.POSITIVE_INFINITY,
      http2: { initialWindowSize: 262_144, connectionWindowSize: 524_288 }
    })
    t.equal(readConnectOptions({ proxy: 'environment' }).dial.proxy, 'environment')
    const createConnection = () => {
      throw new Error()
    }
    t.equal(readConnectOptions({ createConnection }).dial.createConnection, createConnection)
  }
)

t.test('a wrong type is a TypeError', async t => {
  for (const options of [null, 5, 'x']) t.throws(read(options), TypeError)
  const wrong: Record<string, unknown[]> = {
    tls: [null, true, 'x'],
    proxyTls: [null, 5],
    socket: [null, 5],
    proxy: [null, 5, true, {}],
    createConnection: [null, {}, 'x'],
    maxRedirects: [null, '1', true],
    http2: [null, 1, 'yes', { initialWindowSize: '5' }, { initialwindow: 5 }]
  }
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) t.throws(read({ [name]: value }), TypeError, `${name}: ${value}`)
  }
})

t.test('a number out of range is a RangeError', async t => {
  for (const maxRedirects of [-1, Number.NaN, 1.5]) t.throws(read({ maxRedirects }), RangeError)
})

t.test('windows of HTTP/2 are numbers that RFC 9113 allows', async t => {
  const windows = (http2: ConnectOptions['http2']) => readConnectOptions({ http2 }).dial.http2
  t.equal(windows(false), false)
  t.same(windows({}), windows(true))
  const given = { initialWindowSize: 65_535, connectionWindowSize: Number.POSITIVE_INFINITY }
  t.same(windows(given), { initialWindowSize: 65_535, connectionWindowSize: 2 ** 31 - 1 })
  t.same(windows({ initialWindowSize: undefined }), windows(true))
  for (const wrong of [0, -1, 65_534, 1e5 + 0.5, Number.NaN]) {
    t.throws(read({ http2: { connectionWindowSize: wrong } }), RangeError)
  }
  const message = "unknown option 'http2.initalWindowSize'; did you mean 'http2.initialWindowSize'?"
  t.throws(read({ http2: { initalWindowSize: 1e5 } }), { message })
})

t.test('an invalid proxy is a SyntaxError', async t => {
  for (const proxy of ['', 'a', 'socks5://a', 'Environment']) t.throws(read({ proxy }), SyntaxError)
})

t.test('unknown and forbidden names are TypeErrors', async t => {
  t.throws(read({ socket: { lookup: 5 } }), { name: 'TypeError', message: 'socket.lookup must be a function' })
  t.throws(read({ socket: { family: '4' } }), TypeError)
  for (const name of ['host', 'port', 'path', 'localAdress', '__proto__x', 'constructor']) {
    t.throws(read({ socket: { [name]: 'x' } }), TypeError, name)
  }
  for (const name of ['host', 'port', 'path', 'socket', 'server', 'isServer']) {
    t.throws(read({ tls: { [name]: 'x' } }), TypeError, name)
  }
})

t.test('an error says what would be valid', async t => {
  const messages: [options: object, message: string][] = [
    [['chat'], "options must be an object; subprotocols go in it: { protocols: ['chat'] }"],
    [{ prox: 'http://a' }, "unknown option 'prox'; did you mean 'proxy'?"],
    [{ protocol: 'a' }, "unknown option 'protocol'; did you mean 'protocols'?"],
    [{ rejectUnauthorized: false }, "unknown option 'rejectUnauthorized'; did you mean 'tls.rejectUnauthorized'?"],
    [{ socket: { localAdress: 'x' } }, "unknown option 'socket.localAdress'; did you mean 'socket.localAddress'?"],
    [{ tls: { host: 'a' } }, 'tls.host is not allowed: the host comes from the URL'],
    [{ createConnection() {}, tls: {} }, 'tls cannot be combined with createConnection, which opens the wire itself'],
    [{ socket: { localPort: 65536 } }, 'socket.localPort must be a whole number from 0 to 65535, not 65536']
  ]
  for (const [options, message] of messages) t.throws(read(options), { message })
})

t.test('numbers of the socket are checked at once', async t => {
  for (const name of ['localPort', 'family', 'hints', 'autoSelectFamilyAttemptTimeout', 'keepAliveInitialDelay']) {
    for (const wrong of [-1, Number.NaN, 1.5, 2 ** 31, Number.POSITIVE_INFINITY]) {
      t.throws(read({ socket: { [name]: wrong } }), RangeError, `${name}: ${wrong}`)
    }
    t.same(readConnectOptions({ socket: { [name]: 4 } }).dial.socket, { [name]: 4 })
  }
})

t.test('rejectUnauthorized must be a boolean (A19)', async t => {
  for (const rejectUnauthorized of [null, 0, '', 'false']) {
    t.throws(read({ tls: { rejectUnauthorized } }), TypeError)
    t.throws(read({ proxyTls: { rejectUnauthorized } }), TypeError)
  }
})

t.test('checkServerIdentity must be a function', async t => {
  t.throws(read({ tls: { checkServerIdentity: 5 } }), TypeError)
  const tls = { checkServerIdentity: () => undefined }
  t.same(readConnectOptions({ tls }).dial.tls, tls)
})

t.test('createConnection cannot be combined', async t => {
  for (const other of [{ proxy: 'http://a' }, { socket: {} }, { tls: {} }, { proxyTls: {} }]) {
    t.throws(read({ createConnection() {}, ...other }), TypeError)
  }
})

t.test('the error for an option of another library names ours', async t => {
  const client = {
    agent: "did you mean 'createConnection'?",
    followRedirects: "did you mean 'maxRedirects'?",
    rejectUnauthorized: "did you mean 'tls.rejectUnauthorized'?",
    ca: "did you mean 'tls.ca'?",
    family: "did you mean 'socket.family'?",
    localAddress: "did you mean 'socket.localAddress'?",
    socketPath: 'use a URL like ws+unix:///path/to.sock:/target',
    auth: 'put the user and the password into the URL'
  }
  for (const [name, hint] of Object.entries(client)) {
    const message = `unknown option '${name}'; ${hint}`
    t.throws(() => connect('ws://127.0.0.1:1', { [name]: 'x' }), { name: 'TypeError', message })
  }
  for (const name of ['verifyClient', 'authenticate', 'auth']) {
    const message = `unknown option '${name}'; did you mean 'verify'?`
    t.throws(() => acceptWebSockets(createServer(), { [name]: true } as never, () => {}), { message })
  }
  t.throws(() => WebSocketStream.server({ auth: 'x' } as never), { message: "unknown option 'auth'" })
})
