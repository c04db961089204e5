// MQTT over WebSockets: aedes as the broker, on streams of ws, and mqtt as its client.

import http from 'node:http'
import { listen, until } from '../helpers.js'

export default {
  what: 'a broker and two clients: subscriptions, retained messages, 200 kB, a will',
  packages: { mqtt: '5.14.0', aedes: '0.51.3', ws: '8.18.3' },
  putIn: { ws: 'websocket-duplex-ws' },
  async run({ log, require }) {
    const Aedes = require('aedes')
    const mqtt = require('mqtt')
    const { createWebSocketStream, WebSocketServer } = require('ws')
    const broker = new Aedes()
    const server = http.createServer()
    const wss = new WebSocketServer({ server })
    wss.on('connection', (socket, request) => broker.handle(createWebSocketStream(socket), request))
    const url = `ws://127.0.0.1:${await listen(server)}`
    const reader = await mqtt.connectAsync(url, { clientId: 'reader' })
    const got = []
    reader.on('message', (topic, payload, { retain }) =>
      got.push([topic, payload.length > 100 ? payload.length : String(payload), retain])
    )
    await reader.subscribeAsync('news/#', { qos: 1 })
    const will = { topic: 'news/will', payload: 'gone', qos: 1 }
    const writer = await mqtt.connectAsync(url, { clientId: 'writer', will })
    await writer.publishAsync('news/a', 'one', { qos: 1 })
    await writer.publishAsync('news/b', Buffer.alloc(200_000, 1), { qos: 2 })
    await writer.publishAsync('kept', 'retained', { qos: 1, retain: true })
    await reader.subscribeAsync('kept')
    await until(() => got.length === 3)
    writer.stream.destroy()
    await until(() => got.length === 4)
    log(got)
    await writer.endAsync(true)
    await reader.endAsync()
    await new Promise(resolve => broker.close(resolve))
    wss.close()
    server.close()
  }
}
