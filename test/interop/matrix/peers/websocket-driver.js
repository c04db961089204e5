// npm's `websocket-driver`, in both roles, with its sister `permessage-deflate`.

import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { echo, OFFERED, PROTOCOL } from './echo.js'
import { require, run, tell, versionOf } from './program.js'

const driver = require('websocket-driver')
const deflate = require('permessage-deflate')

function talk(driver, socket, path) {
  const peer = echo({
    send: message => (typeof message === 'string' ? driver.text(message) : driver.binary(message)),
    ping: payload => driver.ping(payload, () => peer.pong(payload)),
    close: (code, reason) => driver.close(reason, code)
  })
  driver.addExtension(deflate)
  driver.on('message', ({ data }) => peer.message(data))
  driver.on('error', () => {})
  const closed = new Promise(resolve => {
    driver.on('close', ({ code, reason }) => {
      // it leaves ending the wire to the owner of the socket
      socket.end()
      tell({ path, protocol: driver.protocol, code, reason })
      resolve()
    })
  })
  socket.on('error', () => {})
  socket.pipe(driver.io).pipe(socket)
  driver.start()
  return closed
}

await run(versionOf('websocket-driver'), {
  async serve() {
    const server = createServer()
    server.on('upgrade', (request, socket, head) => {
      const http = driver.http(request, { protocols: [PROTOCOL] })
      http.io.write(head)
      talk(http, socket, request.url)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return server.address().port
  },
  async connect(url) {
    const { port, hostname, pathname } = new URL(url)
    const socket = connect(Number(port), hostname)
    await once(socket, 'connect')
    await talk(driver.client(url, { protocols: OFFERED }), socket, pathname)
  }
})
