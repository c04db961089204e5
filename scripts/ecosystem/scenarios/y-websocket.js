// y-websocket: two documents kept equal over a server, also after the connections were lost.

import http from 'node:http'
import { listen, until } from '../helpers.js'

export default {
  what: 'two clients that edit one document, and go on after a reconnect',
  packages: { 'y-websocket': '1.5.4', yjs: '13.6.27', ws: '8.18.3' },
  putIn: { ws: 'websocket-duplex-ws' },
  quick: true,
  async run({ log, require }) {
    const { WebSocket, WebSocketServer } = require('ws')
    const Y = require('yjs')
    const { WebsocketProvider } = require('y-websocket')
    const { setupWSConnection } = require('y-websocket/bin/utils')
    const server = http.createServer()
    const wss = new WebSocketServer({ server })
    wss.on('connection', setupWSConnection)
    const url = `ws://127.0.0.1:${await listen(server)}`
    const sides = [0, 1].map(() => {
      const document = new Y.Doc()
      const provider = new WebsocketProvider(url, 'room', document, {
        WebSocketPolyfill: WebSocket,
        disableBc: true,
        maxBackoffTime: 50
      })
      return { document, provider, text: document.getText('text') }
    })
    await until(() => sides.every(({ provider }) => provider.synced))
    sides[0].text.insert(0, 'hello')
    await until(() => sides[1].text.toString() === 'hello')
    sides[1].text.insert(5, ' world')
    await until(() => sides[0].text.toString() === 'hello world')
    log(sides.map(({ text }) => text.toString()))
    const statuses = []
    sides[0].provider.on('status', ({ status }) => statuses.push(status))
    for (const client of wss.clients) client.terminate()
    await until(() => statuses.includes('disconnected'))
    sides[0].text.insert(0, 'again ')
    await until(() => sides[1].text.toString() === 'again hello world')
    log(statuses.includes('connected'), sides[1].text.toString())
    for (const { provider } of sides) provider.destroy()
    wss.close()
    server.close()
  }
}
