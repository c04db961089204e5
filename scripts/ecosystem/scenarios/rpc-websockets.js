// rpc-websockets: JSON-RPC between its server and its client.

import { once } from 'node:events'
import { until } from '../helpers.js'

export default {
  what: 'JSON-RPC: calls both ways, errors, notifications, events with subscriptions, a client that comes back',
  packages: { 'rpc-websockets': '10.0.1', ws: '8.18.3' },
  putIn: { ws: 'websocket-duplex-ws' },
  async run({ log, require }) {
    const { Client, Server } = require('rpc-websockets')
    const server = new Server({ port: 0, host: '127.0.0.1' })
    await once(server, 'listening')
    server.register('sum', numbers => numbers[0] + numbers[1])
    server.register('fails', () => {
      throw new Error('on purpose')
    })
    server.event('news')
    const { port } = server.wss.address()
    const client = new Client(`ws://127.0.0.1:${port}`, { reconnect_interval: 20, max_reconnects: 50 })
    let opened = 0
    client.on('open', () => opened++)
    await until(() => opened === 1)
    log(await client.call('sum', [5, 3]))
    log(await client.call('fails').catch(error => error))
    log(await client.call('none').catch(error => error.message))
    const news = []
    client.on('news', (...values) => news.push(values))
    await client.subscribe('news')
    server.emit('news', 1, 'two')
    await until(() => news.length === 1)
    log(news)
    for (const socket of server.wss.clients) socket.terminate()
    await until(() => opened === 2)
    log(await client.call('sum', [1, 1]))
    client.close()
    await until(() => server.wss.clients.size === 0)
    await server.close()
  }
}
