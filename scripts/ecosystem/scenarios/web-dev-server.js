// @web/dev-server, the dev server of Modern Web, which reloads pages through ws.

import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { until } from '../helpers.js'

export default {
  what: 'a dev server that watches: what the page of the browser hears before and after a file changes, and calls of plugins',
  packages: { '@web/dev-server-core': '0.7.5', ws: '8.18.3' },
  putIn: { ws: 'websocket-duplex-ws' },
  timeout: 60_000,
  async run({ log, require }) {
    const { DevServer } = await import(pathToFileURL(require.resolve('@web/dev-server-core')).href)
    const { WebSocket } = require('ws')
    const rootDir = mkdtempSync(join(tmpdir(), 'wds-'))
    writeFileSync(join(rootDir, 'index.html'), '<script type="module" src="/a.js"></script>')
    writeFileSync(join(rootDir, 'a.js'), 'export default 1')
    const quiet = { log() {}, debug() {}, error() {}, warn() {}, group() {}, groupEnd() {}, logSyntaxError() {} }
    const asked = []
    const plugin = {
      name: 'asks',
      injectWebSocket: true,
      serverStart({ webSockets, fileWatcher }) {
        webSockets.on('message', ({ data }) => asked.push(data))
        fileWatcher.add(join(rootDir, 'a.js'))
        fileWatcher.on('change', () =>
          webSockets.send(JSON.stringify({ type: 'import', data: { importPath: '/a.js' } }))
        )
      }
    }
    const server = new DevServer(
      { rootDir, port: 0, hostname: '127.0.0.1', injectWebSocket: true, plugins: [plugin] },
      quiet
    )
    await server.start()
    const { port } = server.server.address()
    const script = await fetch(`http://127.0.0.1:${port}/__web-dev-server__web-socket.js`)
    log(script.status, (await script.text()).includes('/wds'))
    const client = new WebSocket(`ws://127.0.0.1:${port}/wds`)
    const seen = []
    client.on('message', data => seen.push(JSON.parse(String(data))))
    await once(client, 'open')
    client.send(JSON.stringify({ type: 'hello' }))
    await until(() => asked.length === 1)
    log(asked)
    writeFileSync(join(rootDir, 'a.js'), 'export default 2')
    await until(() => seen.length > 0)
    log(seen[0])
    client.close()
    await once(client, 'close')
    await server.stop()
    rmSync(rootDir, { recursive: true })
  }
}
