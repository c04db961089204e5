// WebSockets beside a Koa application, with its cookies: the handshake is an HTTP request, and Koa can read it as one.
//
//   node examples/recipes/koa.js

import { createServer, ServerResponse } from 'node:http'
import Koa from 'koa'
import { acceptWebSockets } from 'websocket-duplex'

const app = new Koa({ keys: ['a secret that signs cookies'] })
app.use(context => {
  context.cookies.set('name', 'Ada', { signed: true })
  context.body = 'hello from Koa'
})

export const server = createServer(app.callback())

export const acceptor = acceptWebSockets(
  server,
  {
    path: '/whoami',
    verify(request) {
      // a Koa context, only to read its cookies
      const { cookies } = app.createContext(request, new ServerResponse(request))
      const name = cookies.get('name', { signed: true })
      return name ? { context: { name } } : { status: 401, body: 'visit the page first' }
    }
  },
  (ws, _request, { name }) => {
    ws.text(`you are ${name}`)
    ws.close(1000)
  }
)
acceptor.on('error', (error, request) => console.error(request.url, error))

server.listen(process.env.PORT ?? 8080, '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${server.address().port}/`)
})

process.once('SIGTERM', async () => {
  server.close()
  await acceptor.close({ timeout: 5000 })
})
