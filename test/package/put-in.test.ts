// The packages that replace others, installed as by npm's overrides: they are found by the other's name, and by the paths that programs
// import. `npm run ecosystem` does the same from tarballs, with real programs.

import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

/** A folder in whose node_modules one of our packages has another package's name. */
function putIn(t: Test, name: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'put-in-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(ROOT, join(folder, 'node_modules', 'websocket-duplex'), 'dir')
  cpSync(join(ROOT, 'packages', name), join(folder, 'node_modules', name), { recursive: true })
  return join(folder, 'index.js')
}

t.test('websocket-driver', async t => {
  const file = putIn(t, 'websocket-driver')
  const require = createRequire(file)
  const driver = require('websocket-driver')
  t.equal(driver, require('websocket-duplex/driver').default)
  t.equal(require('websocket-driver/lib/websocket/driver/headers'), driver.Headers)
  t.equal((await import(pathToFileURL(require.resolve('websocket-driver')).href)).default, driver)
  t.equal(require('websocket-driver/package.json').name, 'websocket-duplex-driver')
  t.equal(driver.client('ws://example.com/').version, 'hybi-13')
})

t.test('ws: found by require and by import, and without types, so that @types/ws is still used', async t => {
  const file = putIn(t, 'ws')
  const require = createRequire(file)
  const WebSocket = require('ws')
  t.equal(WebSocket, require('websocket-duplex/ws'))
  t.equal(WebSocket.WebSocket, WebSocket)
  t.equal(WebSocket.Server, WebSocket.WebSocketServer)
  t.type(WebSocket.createWebSocketStream, 'function')
  const wrapper = join(dirname(file), 'node_modules', 'ws', 'wrapper.mjs')
  const { default: Default, ...named } = await import(pathToFileURL(wrapper).href)
  t.equal(Default, WebSocket)
  t.same(Object.keys(named).sort(), ['Server', 'WebSocket', 'WebSocketServer', 'createWebSocketStream'])
  const manifest = require('ws/package.json')
  t.equal(manifest.name, 'websocket-duplex-ws')
  t.equal(JSON.stringify(manifest).includes('.d.ts'), false)
})

t.test('its version and its dependencies are those of this package', async t => {
  const require = createRequire(import.meta.url)
  const { version } = require(join(ROOT, 'package.json'))
  const manifest = require(join(ROOT, 'packages', 'websocket-driver', 'package.json'))
  t.match(manifest, { version, dependencies: { 'websocket-duplex': `^${version}` } })
})
