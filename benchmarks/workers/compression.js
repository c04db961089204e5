// Echo with permessage-deflate, by its message event, in a process of its own. Argument: whose. All of them compress everything.

import http from 'node:http'
import { createRequire } from 'node:module'
import { WebSocketServer } from 'ws'
import { control } from '../control.js'
import subject from '../subject.js'

const [whose] = process.argv.slice(2)
const { WebSocketStream, permessageDeflate } = subject
const server = http.createServer()
const ignore = () => {}

/** What zlib, and so ws, does where it is told nothing. */
const AS_ZLIB = { windowBits: 15, peerWindowBits: 15, memLevel: 8, threshold: 0 }

function echo(data) {
  this.text(data)
}

function ours(options) {
  const extensions = [permessageDeflate(options)]
  server.on('upgrade', (request, socket, head) => {
    const ws = WebSocketStream.http(request, head, { extensions })
    ws.on('error', ignore)
    ws.on('message', echo)
    ws.attach(socket)
  })
}

function theirs() {
  const sockets = new WebSocketServer({ server, perMessageDeflate: { threshold: 0 }, clientTracking: false })
  sockets.on('connection', ws => {
    ws.on('error', ignore)
    ws.on('message', data => ws.send(data.toString()))
  })
}

const servers = {
  'ours as zlib': () => ours(AS_ZLIB),
  'ours by default': () => ours({}),
  ws: theirs,
  'ws again': theirs,

  'websocket-driver'() {
    const require = createRequire(import.meta.url)
    const driver = require('websocket-driver')
    const deflate = require('permessage-deflate')
    server.on('upgrade', (request, socket, head) => {
      const ws = driver.http(request, { maxLength: 2 ** 27 })
      ws.addExtension(deflate)
      ws.on('error', ignore)
      ws.on('close', () => socket.end())
      ws.on('message', ({ data }) => ws.text(data))
      socket.on('error', ignore)
      ws.io.write(head)
      socket.pipe(ws.io).pipe(socket)
      ws.start()
    })
  }
}

servers[whose]()

control({
  listen: () => new Promise(resolve => server.listen(0, '127.0.0.1', 4096, () => resolve(server.address().port)))
})
