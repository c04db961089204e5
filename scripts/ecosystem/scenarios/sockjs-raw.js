// The raw WebSocket endpoint of a sockjs server, and a client of faye-websocket.

import http from 'node:http'
import { event, get, listen, until } from '../helpers.js'

export default {
  what: 'its raw WebSocket, and its plain HTTP beside it',
  packages: { sockjs: '0.3.24', 'faye-websocket': '0.11.4' },
  putIn: { 'websocket-driver': 'websocket-duplex-driver' },
  quick: true,
  async run({ log, require }) {
    const sockjs = require('sockjs')
    const { Client } = require('faye-websocket')
    const seen = []
    const echo = sockjs.createServer({ log: () => {} })
    echo.on('connection', connection => {
      seen.push(['connection', connection.protocol, connection.pathname, connection.readyState])
      connection.on('data', data => connection.write(`you said ${data}`))
      connection.on('close', () => seen.push(['closed', connection.readyState]))
    })
    const server = http.createServer()
    echo.installHandlers(server, { prefix: '/echo' })
    const port = await listen(server)
    for (const path of ['/echo', '/echo/info', '/echo/websocket']) {
      const { status, headers } = await get(`http://127.0.0.1:${port}${path}`)
      log(path, status, headers['content-type'])
    }
    const client = new Client(`ws://127.0.0.1:${port}/echo/websocket`)
    await event(client, 'open')
    const got = []
    client.on('message', ({ data }) => got.push(data))
    for (const text of ['one', 'two ☃', 'x'.repeat(50_000)]) client.send(text)
    await until(() => got.length === 3)
    log(got)
    client.close(3000, 'done')
    const { code, reason } = await event(client, 'close')
    log(code, reason)
    await until(() => seen.length === 2)
    log(seen)
    server.close()
  }
}
