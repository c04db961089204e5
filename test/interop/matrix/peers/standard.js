// A client with the WebSocket of browsers, which Bun, Deno and undici have too. Pages run it as well: nothing of Node.

import { echo, OFFERED } from './echo.js'

/**
 * Connects, echoes, and reports how the connection ended.
 * @param {function(WebSocket, string): void} ping - sends one, if that is possible
 */
export function connect(Socket, url, tell, ping) {
  const socket = new Socket(url, OFFERED)
  socket.binaryType = 'arraybuffer'
  const peer = echo({
    send: message => socket.send(message),
    ping: payload => ping(socket, payload),
    close: (code, reason) => socket.close(code, reason)
  })
  let protocol = ''
  socket.addEventListener('open', () => {
    protocol = socket.protocol
  })
  socket.addEventListener('message', ({ data }) => peer.message(typeof data === 'string' ? data : new Uint8Array(data)))
  socket.addEventListener('pong', ({ data }) => peer.pong(data))
  socket.addEventListener('error', () => {})
  return new Promise(resolve => {
    socket.addEventListener('close', ({ code, reason }) => {
      tell({ path: new URL(url).pathname, protocol, code, reason })
      resolve()
    })
  })
}
