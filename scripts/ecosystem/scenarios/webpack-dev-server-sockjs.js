// webpack-dev-server with sockjs as its transport, and sockjs-client as the page.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { event, get, until } from '../helpers.js'

export default {
  what: 'its events by sockjs: a build, a change, an error',
  packages: { 'webpack-dev-server': '5.2.2', webpack: '5.99.9', sockjs: '0.3.24', 'sockjs-client': '1.6.1' },
  putIn: { 'websocket-driver': 'websocket-duplex-driver' },
  timeout: 60_000,
  async run({ log, require }) {
    const webpack = require('webpack')
    const DevServer = require('webpack-dev-server')
    const SockJS = require('sockjs-client')
    const folder = join(process.cwd(), 'page')
    mkdirSync(folder, { recursive: true })
    const entry = join(folder, 'index.js')
    writeFileSync(entry, 'console.log("one")\n')
    const compiler = webpack({
      mode: 'development',
      context: folder,
      entry,
      output: { path: join(folder, 'out') },
      infrastructureLogging: { level: 'none' },
      stats: 'none'
    })
    const options = {
      host: '127.0.0.1',
      port: 'auto',
      webSocketServer: 'sockjs',
      client: false,
      hot: false,
      allowedHosts: 'all'
    }
    const server = new DevServer({ ...options, liveReload: true }, compiler)
    await server.start()
    const { port } = server.server.address()
    const client = new SockJS(`http://127.0.0.1:${port}/ws`, null, { transports: ['websocket'] })
    const types = []
    client.onmessage = ({ data }) => types.push(JSON.parse(data).type)
    await event(client, 'open')
    await until(() => types.includes('ok'))
    log(client.transport, [...new Set(types.splice(0))].sort())
    const { status, body } = await get(`http://127.0.0.1:${port}/main.js`)
    log(status, body.includes('one'))
    writeFileSync(entry, 'import "./missing.js"\n')
    await until(() => types.includes('errors'))
    log(types.includes('invalid'))
    types.length = 0
    writeFileSync(entry, 'console.log("two")\n')
    await until(() => types.includes('ok'))
    log((await get(`http://127.0.0.1:${port}/main.js`)).body.includes('two'))
    client.close()
    log((await event(client, 'close')).code)
    await server.stop()
  }
}
