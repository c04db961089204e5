// Echo by Deno's own server: native code, a horizon and not a rival.
/* global Deno */

import { control } from '../control.js'

const server = Deno.serve({ port: 0, hostname: '127.0.0.1', onListen() {} }, request => {
  const { socket, response } = Deno.upgradeWebSocket(request, { idleTimeout: 0 })
  socket.binaryType = 'arraybuffer'
  socket.onmessage = event => socket.send(event.data)
  socket.onerror = () => {}
  return response
})

control({ listen: () => server.addr.port })
