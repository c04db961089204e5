// http-proxy between a client and a server.

import { once } from 'node:events'
import http from 'node:http'
import { listen, until } from '../helpers.js'

export default {
  what: 'client and server with a proxy between them: text, bytes, large messages, closes',
  packages: { 'http-proxy': '1.18.1', ws: '8.18.3' },
  putIn: { ws: 'websocket-duplex-ws' },
  quick: true,
  async run({ log, require }) {
    const { WebSocket, WebSocketServer } = require('ws')
    const target = http.createServer()
    const wss = new WebSocketServer({ server: target, perMessageDeflate: true })
    const closes = []
    wss.on('connection', (socket, { url, headers }) => {
      socket.send(`${url} ${headers['x-forwarded-proto']}`)
      socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
      socket.on('close', (code, reason) => closes.push(code, String(reason)))
    })
    const proxy = require('http-proxy').createProxyServer({
      target: `http://127.0.0.1:${await listen(target)}`,
      ws: true,
      xfwd: true
    })
    const server = http.createServer()
    server.on('upgrade', (request, socket, head) => proxy.ws(request, socket, head))
    const client = new WebSocket(`ws://127.0.0.1:${await listen(server)}/path?a=b`)
    const got = []
    client.on('message', (data, isBinary) => got.push([isBinary, data]))
    await once(client, 'open')
    for (const data of ['text', Buffer.from('bytes'), 'x'.repeat(200_000), Buffer.alloc(200_000)]) client.send(data)
    await until(() => got.length === 5)
    log(client.extensions, got)
    client.close(4001, 'enough')
    await once(client, 'close')
    await until(() => closes.length > 0)
    log(closes)
    proxy.close()
    server.close()
    target.close()
  }
}
