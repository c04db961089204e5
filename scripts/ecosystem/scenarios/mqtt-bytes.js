// MQTT over plain bytes: through websocket-stream on both sides, or instead through `ws.bytes` of this library, passed to mqtt's client and
// to `aedes.handle`.

import http from 'node:http'
import { listen, until } from '../helpers.js'

export default {
  what: 'a broker on `ws.bytes`, and clients by `streamBuilder`: all three levels of service, 200 kB, a will, a broker that ends',
  packages: { mqtt: '5.14.0', aedes: '0.51.3', 'websocket-stream': '5.5.2', ws: '8.18.3' },
  putIn: { ws: 'websocket-duplex-ws' },
  instead: 'websocket-stream',
  async run({ log, require }) {
    const Aedes = require('aedes')
    const mqtt = require('mqtt')
    const broker = new Aedes()
    const server = http.createServer()
    const { accept, dial } = streams(require)
    accept(server, (stream, request) => broker.handle(stream, request))
    const url = `ws://127.0.0.1:${await listen(server)}`
    const make = options => new mqtt.MqttClient(() => dial(url), { reconnectPeriod: 0, ...options })
    const reader = make({ clientId: 'reader' })
    const got = []
    reader.on('message', (topic, payload, { qos, retain }) =>
      got.push([topic, payload.length > 100 ? payload.length : String(payload), qos, retain])
    )
    await reader.subscribeAsync('news/#', { qos: 2 })
    const writer = make({ clientId: 'writer', will: { topic: 'news/will', payload: 'gone', qos: 1 } })
    for (const qos of [0, 1, 2]) await writer.publishAsync('news/a', `level ${qos}`, { qos })
    await writer.publishAsync('news/b', Buffer.alloc(200_000, 1), { qos: 2, retain: true })
    await until(() => got.length === 4)
    writer.stream.destroy()
    await until(() => got.length === 5)
    log(got)
    const closed = new Promise(resolve => reader.once('close', resolve))
    await new Promise(resolve => broker.close(resolve))
    await closed
    log(reader.connected)
    await reader.endAsync(true)
    server.close()
    server.closeAllConnections()
  }
}

/** How each side of a connection becomes a Duplex of bytes. */
function streams(require) {
  let ours
  try {
    ours = require('websocket-duplex')
  } catch {
    const websocketStream = require('websocket-stream')
    return {
      accept: (server, handle) => websocketStream.createServer({ server, perMessageDeflate: false }, handle),
      dial: url => websocketStream(url, ['mqtt'], { perMessageDeflate: false })
    }
  }
  return {
    accept: (server, handle) =>
      ours.acceptWebSockets(server, { protocols: ['mqtt'] }, (ws, request) => handle(ws.bytes, request)),
    dial: url => ours.connect(url, { protocols: ['mqtt'] }).bytes
  }
}
