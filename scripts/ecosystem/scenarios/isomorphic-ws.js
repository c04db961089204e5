// isomorphic-ws, and agents for proxies.

import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import { listen, until } from '../helpers.js'

export default {
  what: 'isomorphic-ws in both module systems, and a client through https-proxy-agent',
  packages: { 'isomorphic-ws': '5.0.0', 'https-proxy-agent': '7.0.6', ws: '8.18.3' },
  putIn: { ws: 'websocket-duplex-ws' },
  quick: true,
  async run({ log, require }) {
    const WebSocket = require('isomorphic-ws')
    const { WebSocketServer } = require('ws')
    const { HttpsProxyAgent } = require('https-proxy-agent')
    log(WebSocket === require('ws'), WebSocket.OPEN, typeof WebSocket.Server, typeof WebSocket.createWebSocketStream)
    const wss = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    await once(wss, 'listening')
    wss.on('connection', socket => socket.on('message', data => socket.send(`you said ${data}`)))
    const asked = []
    const proxy = http.createServer()
    proxy.on('connect', ({ url, headers }, socket, head) => {
      asked.push(headers['proxy-authorization'])
      const [host, port] = url.split(':')
      const target = net.connect(Number(port), host, () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n')
        target.write(head)
        socket.pipe(target).pipe(socket)
      })
      target.on('error', () => socket.destroy())
      socket.on('error', () => target.destroy())
    })
    const agent = new HttpsProxyAgent(`http://user:secret@127.0.0.1:${await listen(proxy)}`)
    for (const options of [{}, { agent }]) {
      const client = new WebSocket(`ws://127.0.0.1:${wss.address().port}/`, options)
      await once(client, 'open')
      client.send('hello')
      log(String((await once(client, 'message'))[0]))
      client.close()
      await once(client, 'close')
    }
    await until(() => wss.clients.size === 0)
    log(asked)
    wss.close()
    proxy.close()
  }
}
