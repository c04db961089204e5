// Echo by Bun's own server: native code, a horizon and not a rival.
/* global Bun */

import { control } from '../control.js'

const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch: (request, server) => (server.upgrade(request) ? undefined : new Response('', { status: 426 })),
  websocket: {
    perMessageDeflate: false,
    idleTimeout: 0,
    maxPayloadLength: 2 ** 27,
    backpressureLimit: 2 ** 28,
    message(ws, data) {
      ws.send(data)
    }
  }
})

control({ listen: () => server.port })
