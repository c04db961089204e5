// @fastify/websocket: routes, hooks, and a request that is refused.

import { once } from 'node:events'
import { until } from '../helpers.js'

export default {
  what: 'routes, a hook that refuses, injected connections, the end of the server',
  packages: { '@fastify/websocket': '11.2.0', fastify: '5.4.0', ws: '8.18.3' },
  putIn: { ws: 'websocket-duplex-ws' },
  async run({ log, require }) {
    const fastify = require('fastify')()
    const { WebSocket } = require('ws')
    await fastify.register(require('@fastify/websocket'), { options: { maxPayload: 1024 } })
    fastify.addHook('preValidation', async (request, reply) => {
      if (request.headers['x-secret'] !== 'yes') await reply.code(401).send('no')
    })
    fastify.get('/echo/:name', { websocket: true }, (socket, request) => {
      socket.on('message', data => socket.send(`${request.params.name}: ${data}`))
    })
    await fastify.listen({ port: 0, host: '127.0.0.1' })
    const { port } = fastify.server.address()
    const open = headers => new WebSocket(`ws://127.0.0.1:${port}/echo/me`, { headers })
    const refused = open({})
    const [error] = await once(refused, 'error')
    log(error.message)
    const client = open({ 'x-secret': 'yes' })
    const got = []
    client.on('message', data => got.push(String(data)))
    await once(client, 'open')
    client.send('hello')
    await until(() => got.length === 1)
    log(got)
    const closed = new Promise(resolve => client.on('close', (...args) => resolve(args)))
    client.send('x'.repeat(1025))
    log((await closed)[0])
    const injected = await fastify.injectWS('/echo/you', { headers: { 'x-secret': 'yes' } })
    injected.send('hi')
    log(String((await once(injected, 'message'))[0]))
    injected.terminate()
    await fastify.close()
  }
}
