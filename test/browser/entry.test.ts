// The two entries of the package: the browser's exports what Node's does, except what needs Node.

import t from 'tap'
import * as browser from '../../lib/browser.js'
import * as node from '../../lib/index.js'

/** Exports that dial, listen, or need Node's zlib. */
const NEEDS_NODE = [
  'BrowserWebSocketError',
  'BrowserWebSocketStream',
  'ProxyTunnel',
  'Relay',
  'Room',
  'acceptWebSockets',
  'connect',
  'permessageDeflate',
  'reconnect',
  'relay'
]

t.test('a browser gets everything that Node gets, except what needs Node', async t => {
  const names = Object.keys(node).filter(name => !NEEDS_NODE.includes(name))
  t.same(Object.keys(browser).sort(), names.sort())
  for (const name of NEEDS_NODE) t.ok(name in node, name)
})

t.test('both entries export the same things under the same names', async t => {
  for (const [name, value] of Object.entries(browser)) t.equal((node as Record<string, unknown>)[name], value, name)
})
