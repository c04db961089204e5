// Echo on the streams of HTTP/2 (RFC 8441). Arguments: what answers (event, which is our acceptor and the message event; pipes, which is
// a stream piped through the library; raw, which is the stream piped into itself, and no WebSocket), and tls where it is to be over TLS.

import { control } from '../control.js'
import subject from '../subject.js'
import { listening, makeHttp2Server } from './make-server.js'

const [how, isSecure] = process.argv.slice(2)
const { acceptWebSockets, WebSocketStream } = subject
const options = { maxMessageSize: 2 ** 27, maxFrameSize: 2 ** 27 }
const server = makeHttp2Server(isSecure === 'tls', { settings: { enableConnectProtocol: true } })
const ignore = () => {}

function echo(data) {
  if (typeof data === 'string') this.text(data)
  else this.binary(data)
}

const ways = {
  event() {
    acceptWebSockets(server, options, ws => ws.on('error', ignore).on('message', echo))
  },
  pipes() {
    server.on('stream', (stream, headers) => {
      const ws = WebSocketStream.http2(stream, headers, options).on('error', ignore)
      stream.on('error', ignore)
      stream.pipe(ws).pipe(stream)
      ws.messages.pipe(ws.messages)
    })
  },
  raw() {
    server.on('stream', stream => {
      stream.on('error', ignore)
      stream.respond({ ':status': 200 })
      stream.pipe(stream)
    })
  }
}

ways[how]()
server.on('sessionError', ignore)
control(listening(server))
