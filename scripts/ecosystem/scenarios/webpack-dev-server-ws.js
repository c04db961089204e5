// webpack-dev-server with ws as its transport: the messages to a page when a file changes.

import { once } from 'node:events'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from '../helpers.js'

export default {
  what: "a dev server of webpack: the client's messages before and after a file changes",
  packages: { 'webpack-dev-server': '5.2.2', webpack: '5.99.9', ws: '8.18.3' },
  putIn: { ws: 'websocket-duplex-ws' },
  timeout: 60_000,
  async run({ log, require }) {
    const webpack = require('webpack')
    const DevServer = require('webpack-dev-server')
    const { WebSocket } = require('ws')
    const folder = mkdtempSync(join(tmpdir(), 'wds-'))
    const entry = join(folder, 'index.js')
    writeFileSync(entry, 'module.exports = 1')
    const compiler = webpack({
      mode: 'development',
      context: folder,
      entry,
      infrastructureLogging: { level: 'none' },
      stats: 'none'
    })
    const server = new DevServer({ host: '127.0.0.1', port: 'auto', static: false, open: false }, compiler)
    await server.start()
    const { port } = server.server.address()
    const client = new WebSocket(`ws://127.0.0.1:${port}/ws`, {
      headers: { host: `127.0.0.1:${port}`, origin: `http://127.0.0.1:${port}` }
    })
    const types = []
    client.on('message', data => types.push(JSON.parse(String(data)).type))
    await once(client, 'open')
    await until(() => types.includes('ok'))
    log(types.filter(type => type !== 'hash' && type !== 'invalid'))
    types.length = 0
    writeFileSync(entry, 'module.exports = 2')
    await until(() => types.includes('ok'))
    log([...new Set(types)].filter(type => type === 'ok' || type === 'invalid').sort())
    client.close()
    await once(client, 'close')
    await server.stop()
    compiler.close(() => {})
  }
}
