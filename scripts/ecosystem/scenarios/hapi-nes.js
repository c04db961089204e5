// @hapi/nes: requests, broadcasts and subscriptions over hapi.

import { until } from '../helpers.js'

export default {
  what: 'requests to routes, broadcasts, subscriptions, heartbeats, the end of the server',
  packages: { '@hapi/nes': '13.0.1', '@hapi/hapi': '21.4.0' },
  putIn: { ws: 'websocket-duplex-ws' },
  async run({ log, require }) {
    const Hapi = require('@hapi/hapi')
    const Nes = require('@hapi/nes')
    const server = new Hapi.Server({ port: 0, host: '127.0.0.1' })
    await server.register({ plugin: Nes, options: { heartbeat: { interval: 1000, timeout: 900 } } })
    server.route({ method: 'GET', path: '/hello', handler: () => ({ hello: 'world' }) })
    server.subscription('/item/{id}')
    await server.start()
    const client = new Nes.Client(`ws://127.0.0.1:${server.info.port}`)
    const got = []
    client.onUpdate = update => got.push(update)
    await client.connect()
    const { payload, statusCode } = await client.request('/hello')
    log(statusCode, payload)
    await client.subscribe('/item/5', item => got.push(item))
    await server.publish('/item/5', { id: 5 })
    await server.publish('/item/6', { id: 6 })
    await server.broadcast('to all')
    await until(() => got.length === 2)
    log(got)
    await new Promise(resolve => setTimeout(resolve, 1200))
    log((await client.request('/hello')).statusCode)
    await client.disconnect()
    await server.stop()
  }
}
