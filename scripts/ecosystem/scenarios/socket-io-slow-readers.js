// socket.io: a broadcast to 200 clients, of which 20 have stopped reading. The clients are in a process of their own, so that the memory in
// the table is the server's.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import http from 'node:http'
import { listen, until } from '../helpers.js'

const CLIENTS = 200
const STOPPED = 20
const MESSAGES = 15
const SIZE = 100_000

/** The program of the other process: reports when all clients are connected, and when all that read have received everything. */
const PROGRAM = `
const { io } = require('socket.io-client')
const [url, clients, stopped, messages] = [process.argv[1], ...process.argv.slice(2).map(Number)]
let connected = 0
let done = 0
for (let i = 0; i < clients; i++) {
  const client = io(url, { transports: ['websocket'], forceNew: true, reconnection: false })
  let got = 0
  client.on('connect', () => {
    if (i < stopped) client.io.engine.transport.ws._socket.pause()
    if (++connected === clients) process.send('ready')
  })
  client.on('news', () => {
    if (++got === messages && ++done === clients - stopped) process.send('done')
  })
}
`

export default {
  what: `a broadcast of ${(CLIENTS * MESSAGES * SIZE) / 1e6} MB to ${CLIENTS} clients, ${STOPPED} of which have stopped reading`,
  packages: { 'socket.io': '4.8.1', 'socket.io-client': '4.8.1' },
  putIn: { ws: 'websocket-duplex-ws' },
  timeout: 120_000,
  async run({ log, require }) {
    const { Server } = require('socket.io')
    const server = http.createServer()
    const app = new Server(server, { pingTimeout: 60_000 })
    const url = `http://127.0.0.1:${await listen(server)}`
    const counts = [CLIENTS, STOPPED, MESSAGES].map(String)
    const stdio = ['ignore', 'ignore', 'inherit', 'ipc']
    const clients = spawn(process.execPath, ['-e', PROGRAM, url, ...counts], { stdio })
    const said = []
    clients.on('message', word => said.push(word))
    await until(() => said.length === 1)
    for (let i = 0; i < MESSAGES; i++) {
      app.emit('news', Buffer.alloc(SIZE, i))
      await new Promise(resolve => setTimeout(resolve, 20))
    }
    await until(() => said.length === 2)
    log(said, app.engine.clientsCount)
    clients.kill()
    await once(clients, 'close')
    await app.close()
  }
}
