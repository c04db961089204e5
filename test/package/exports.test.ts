// The exports of the built package, by import and by require. A new export must be added to this list: it is the interface that the
// version number promises.

import { createRequire } from 'node:module'
import t from 'tap'

/** The values; test/types checks the types. */
const EXPORTS = [
  'BrowserWebSocketError',
  'BrowserWebSocketStream',
  'CloseCode',
  'ExtensionTransform',
  'Frame',
  'FrameDecoder',
  'FrameEncoder',
  'HandshakeError',
  'HandshakeTransform',
  'MessageAssembler',
  'MessageFragmenter',
  'MessageStream',
  'Opcode',
  'PreparedMessage',
  'ProxyTunnel',
  'Relay',
  'Room',
  'TextBytes',
  'WebSocketError',
  'WebSocketStream',
  'acceptWebSockets',
  'connect',
  'isWebSocket',
  'jsonMessages',
  'permessageDeflate',
  'prepareMessage',
  'reconnect',
  'relay'
]

// imported by a computed name, since TypeScript would look for dist before it is built
const NAME: string = 'websocket-duplex'

t.test('import gives exactly the exports listed here', async t => {
  t.same(Object.keys(await import(NAME)).sort(), EXPORTS)
})

t.test('require gives the same objects', async t => {
  const required = createRequire(import.meta.url)(NAME)
  const imported = await import(NAME)
  for (const name of EXPORTS) t.equal(required[name], imported[name], name)
})

t.test('only the entries and package.json can be imported', async t => {
  const { resolve } = createRequire(import.meta.url)
  for (const path of ['dist/index.js', 'dist/pipeline.js', 'lib/index.ts', 'README.md']) {
    t.throws(() => resolve(`${NAME}/${path}`), { code: 'ERR_PACKAGE_PATH_NOT_EXPORTED' }, path)
  }
  t.match(resolve(`${NAME}/package.json`), /package\.json$/)
})

t.test('the driver entry can be imported and required', async t => {
  const names = ['Headers', 'client', 'default', 'http', 'isSecureRequest', 'isWebSocket', 'server', 'validateOptions']
  const imported = await import(`${NAME}/driver`)
  t.same(Object.keys(imported).sort(), names)
  const required = createRequire(import.meta.url)(`${NAME}/driver`)
  for (const name of names) t.equal(required[name], imported[name], name)
})

t.test('the ws entry can be imported, and required as the class', async t => {
  const imported = await import(`${NAME}/ws`)
  t.same(Object.keys(imported).sort(), [
    'Server',
    'WebSocket',
    'WebSocketServer',
    'createWebSocketStream',
    'default',
    'module.exports'
  ])
  const required = createRequire(import.meta.url)(`${NAME}/ws`)
  t.equal(required, imported.WebSocket)
  for (const name of ['WebSocket', 'WebSocketServer', 'createWebSocketStream', 'Server'])
    t.equal(required[name], imported[name], name)
})

t.test('classes and functions have the names under which they are exported', async t => {
  // debuggers and printed errors show them
  for (const [name, value] of Object.entries(await import(NAME)))
    if (typeof value === 'function') t.equal(value.name, name)
})

t.test(
  "the stages have their own names, and errors are instances of this package's classes, imported or required",
  async t => {
    const { HandshakeError, WebSocketError, FrameDecoder } = await import(NAME)
    t.equal(FrameDecoder.name, 'FrameDecoder')
    t.ok(new HandshakeError('WS_ERR_ABORTED') instanceof WebSocketError)
    t.ok(new WebSocketError('WS_ERR_ABORTED') instanceof Error)
  }
)
