// engine.io and its client.

import http from 'node:http'
import { listen, until } from '../helpers.js'

export default {
  what: 'a server and its client: text, bytes, upgrades, closes of both sides, headers',
  packages: { 'engine.io': '6.6.4', 'engine.io-client': '6.6.3' },
  putIn: { ws: 'websocket-duplex-ws' },
  quick: true,
  async run({ log, require }) {
    const { attach } = require('engine.io')
    const { Socket } = require('engine.io-client')
    const server = http.createServer()
    const engine = attach(server, { perMessageDeflate: true, httpCompression: false, cookie: { name: 'io' } })
    const closes = []
    engine.on('connection', socket => {
      socket.on('message', data => socket.send(data))
      socket.on('close', reason => closes.push(reason))
    })
    const port = await listen(server)
    for (const transports of [['websocket'], ['polling', 'websocket']]) {
      const client = new Socket(`ws://127.0.0.1:${port}`, { transports, extraHeaders: { 'X-Mine': 'yes' } })
      const got = []
      client.on('message', data => got.push(data))
      await new Promise(resolve => client.on('open', resolve))
      await until(() => client.transport.name === 'websocket')
      for (const data of ['text', Buffer.from('bytes'), 'x'.repeat(100_000), Buffer.alloc(100_000)]) client.send(data)
      await until(() => got.length === 4)
      log(got)
      client.close()
      await until(() => closes.length === 1)
      log(closes.splice(0))
    }
    engine.close()
    server.close()
  }
}
