// express-ws: routes with middleware.

import { once } from 'node:events'

export default {
  what: 'routes, middleware, parameters, broadcasts over its clients',
  packages: { 'express-ws': '5.0.2', express: '4.21.2', ws: '8.18.3' },
  putIn: { ws: 'websocket-duplex-ws' },
  quick: true,
  async run({ log, require }) {
    const { WebSocket } = require('ws')
    const instance = require('express-ws')(require('express')())
    const { app } = instance
    app.use((request, _response, next) => {
      request.tested = 'by middleware'
      next()
    })
    app.ws('/echo/:name', (socket, request) => {
      socket.on('message', data => {
        for (const client of instance.getWss('/echo').clients)
          client.send(`${request.params.name} ${request.tested} ${data}`)
      })
    })
    const server = app.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address()
    const clients = [1, 2].map(n => new WebSocket(`ws://127.0.0.1:${port}/echo/${n}`))
    await Promise.all(clients.map(client => once(client, 'open')))
    const got = clients.map(client => once(client, 'message'))
    clients[0].send('hello')
    log((await Promise.all(got)).map(([data]) => String(data)))
    const lost = new WebSocket(`ws://127.0.0.1:${port}/nowhere`)
    const [end] = await Promise.race([once(lost, 'error'), once(lost, 'close')])
    log(end instanceof Error ? end.message : end)
    for (const client of clients) client.close()
    await Promise.all(clients.map(client => once(client, 'close')))
    server.close()
  }
}
