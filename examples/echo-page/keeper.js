// The other server of the page, in a separate process: like an application that listens for 'message' and processes the messages later, it keeps
// all of them. server.js starts it, and passes it the sockets of /keep; it reports how much it keeps, and how much memory it uses.

import { WebSocketStream } from 'websocket-duplex'

const MEBIBYTE = 2 ** 20
/** A real application has no such limit: it grows until the system kills it. */
const MOST = 256 * MEBIBYTE
const INTERVAL = 200

let connections = 0
let kept = 0

process.on('message', ({ request, head }, socket) => {
  if (!socket) return
  const ws = WebSocketStream.http(request, Buffer.from(head, 'base64'), { closeTimeout: 5000 })
  const queue = []
  connections++
  ws.on('message', message => {
    queue.push(message)
    count(ws, message)
  })
  ws.on('error', () => {})
  ws.whenClosed().then(() => {
    for (const { length } of queue) kept -= length
    queue.length = 0
    // the next flood meets a new process, which has not grown yet
    if (--connections === 0) process.exit()
  })
  ws.attach(socket)
})

function count(ws, { length }) {
  kept += length
  if (kept > MOST) ws.destroy(new Error(`more than ${MOST / MEBIBYTE} MiB are kept`))
}

setInterval(() => process.send({ rss: process.memoryUsage.rss(), kept }), INTERVAL)
process.on('disconnect', () => process.exit())
// Ctrl-C at a terminal reaches all processes: server.js ends this one
process.on('SIGINT', () => {})
