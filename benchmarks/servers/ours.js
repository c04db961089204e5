// Echo by the library under test. Arguments: how the application sees messages (event; messages, piped into itself;
// read, which is messages with a listener), how the socket is joined (attach, pipes), and where the request is parsed
// (http; tls, which is https; raw).

import net from 'node:net'
import { control } from '../control.js'
import subject from '../subject.js'
import { listening, makeServer } from './make-server.js'

const [view, joined, parsed = 'http'] = process.argv.slice(2)
const { WebSocketStream } = subject
const options = { maxMessageSize: 2 ** 27, maxFrameSize: 2 ** 27 }

function echo(data) {
  if (typeof data === 'string') this.text(data)
  else this.binary(data)
}
function echoMessage(data) {
  this.write(data)
}
const ignore = () => {}

function serve(ws, socket) {
  ws.on('error', ignore)
  if (joined === 'attach') {
    ws.attach(socket)
  } else {
    socket.on('error', ignore)
    socket.pipe(ws).pipe(socket)
  }
  if (view === 'event') ws.on('message', echo)
  else {
    if (view === 'read') ws.messages.on('data', echoMessage)
    else ws.messages.pipe(ws.messages)
  }
}

const server =
  parsed !== 'raw'
    ? makeServer(parsed === 'tls').on('upgrade', (request, socket, head) =>
        serve(WebSocketStream.http(request, head, options), socket)
      )
    : net.createServer({ noDelay: true }, socket => serve(WebSocketStream.server(options), socket))

control(listening(server))
