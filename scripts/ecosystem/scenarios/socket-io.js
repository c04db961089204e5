// socket.io, server and client: transports, upgrade, compression, binary, acknowledgements, large messages.

import http from 'node:http'
import { listen, until } from '../helpers.js'

export default {
  what: 'polling to websocket, websocket only, deflate, binary, acknowledgements, 300 kB, rooms, both sides',
  packages: { 'socket.io': '4.8.1', 'socket.io-client': '4.8.1' },
  putIn: { ws: 'websocket-duplex-ws' },
  quick: true,
  async run({ log, require }) {
    const { Server } = require('socket.io')
    const { io } = require('socket.io-client')
    for (const perMessageDeflate of [false, { threshold: 100 }]) {
      for (const transports of [['polling', 'websocket'], ['websocket']]) {
        const server = http.createServer()
        const app = new Server(server, { perMessageDeflate, maxHttpBufferSize: 1e6 })
        const seen = []
        app.on('connection', socket => {
          socket.on('echo', (data, acknowledge) => acknowledge(data))
          socket.on('join', (room, acknowledge) => acknowledge(socket.join(room)))
          socket.on('disconnect', reason => seen.push(['server', reason]))
        })
        const port = await listen(server)
        const clients = Array.from({ length: 3 }, () => io(`http://127.0.0.1:${port}`, { transports, forceNew: true }))
        await Promise.all(clients.map(client => new Promise(resolve => client.once('connect', resolve))))
        const [first] = clients
        await until(() => first.io.engine.transport.name === 'websocket')
        log(transports, first.io.engine.transport.name)
        for (const data of [
          'text',
          { nested: [1, null, 'ü☃'] },
          Buffer.from([1, 2, 3]),
          { text: 'with', bytes: Buffer.alloc(40, 7) },
          'x'.repeat(300_000),
          Buffer.alloc(300_000, 5)
        ]) {
          log(await first.emitWithAck('echo', data))
        }
        for (const client of clients.slice(1)) await client.emitWithAck('join', 'room')
        const got = []
        for (const [index, client] of clients.entries()) client.on('news', news => got.push([index, news]))
        app.to('room').emit('news', 'for the room')
        await until(() => got.length === 2)
        app.emit('news', Buffer.from('for all'))
        await until(() => got.length === 5)
        log(got.sort((a, b) => a[0] - b[0]))
        first.on('disconnect', reason => seen.push(['client', reason]))
        first.disconnect()
        await until(() => seen.length === 2)
        clients[1].on('disconnect', reason => seen.push(['client', reason]))
        app.disconnectSockets()
        await until(() => seen.length === 5)
        log(seen.map(String).sort())
        for (const client of clients) client.close()
        await app.close()
      }
    }
  }
}
