// No WebSocket at all: sockets that swallow what they get, for what a connection costs before anyone speaks a protocol.
// The upgrade is answered by hand, so that the load need not know the difference.

import net from 'node:net'
import { control } from '../control.js'
import { upgradeResponse } from '../wire.js'

const ignore = () => {}
function answer(chunk) {
  this.write(upgradeResponse(chunk.toString('latin1')))
  this.on('data', ignore)
}
const server = net.createServer({ noDelay: true }, socket => {
  socket.on('error', ignore)
  socket.once('data', answer)
})

control({
  listen: () => new Promise(resolve => server.listen(0, '127.0.0.1', 4096, () => resolve(server.address().port)))
})
