// vite contains a copy of ws, which overrides do not replace: only the page's side of HMR uses our package here.

import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { until } from '../helpers.js'

export default {
  what: 'HMR: a client of ws at its dev server, before and after a file changes (the server carries a copy of ws, which no override reaches)',
  packages: { ws: '8.18.3', vite: '7.1.5' },
  putIn: { ws: 'websocket-duplex-ws' },
  timeout: 60_000,
  async run({ log, require }) {
    const { createServer } = await import(pathToFileURL(require.resolve('vite')).href)
    const { WebSocket } = require('ws')
    const root = mkdtempSync(join(tmpdir(), 'vite-'))
    mkdirSync(join(root, 'src'))
    writeFileSync(join(root, 'index.html'), '<script type="module" src="/src/main.js"></script>')
    writeFileSync(join(root, 'src', 'main.js'), 'import.meta.hot.accept(); export default 1')
    const server = await createServer({ root, logLevel: 'silent', server: { host: '127.0.0.1', port: 0 } })
    await server.listen()
    const { port } = server.httpServer.address()
    const text = await (await fetch(`http://127.0.0.1:${port}/src/main.js`)).text()
    log(text.includes('import.meta.hot'))
    const token = server.config.webSocketToken
    const client = new WebSocket(`ws://127.0.0.1:${port}/?token=${token}`, 'vite-hmr')
    const seen = []
    client.on('message', data => seen.push(JSON.parse(String(data))))
    await once(client, 'open')
    log(client.protocol)
    await until(() => seen.length === 1)
    writeFileSync(join(root, 'src', 'main.js'), 'import.meta.hot.accept(); export default 2')
    await until(() => seen.some(({ type }) => type === 'update'))
    log(seen.map(({ type, updates }) => [type, updates?.map(({ path }) => path)]))
    client.close()
    log((await once(client, 'close'))[0])
    await server.close()
    rmSync(root, { recursive: true })
  }
}
