// A server of faye and its client over WebSocket: channels, wildcards, extensions, a server-side client.

import http from 'node:http'
import { listen, until } from '../helpers.js'

export default {
  what: 'a server and clients: subscriptions, wildcards, extensions, the end',
  packages: { faye: '1.4.3' },
  putIn: { 'websocket-driver': 'websocket-duplex-driver' },
  quick: true,
  async run({ log, require }) {
    const faye = require('faye')
    const bayeux = new faye.NodeAdapter({ mount: '/faye', timeout: 5 })
    const events = []
    bayeux.on('subscribe', (_id, channel) => events.push(['subscribe', channel]))
    bayeux.on('publish', (_id, channel, data) => events.push(['publish', channel, data]))
    bayeux.addExtension({
      incoming(message, callback) {
        if (message.channel === '/chat/secret') message.error = '403::Forbidden'
        callback(message)
      }
    })
    const server = http.createServer((_request, response) => response.end('not faye'))
    bayeux.attach(server)
    const port = await listen(server)
    const client = new faye.Client(`http://127.0.0.1:${port}/faye`)
    const got = []
    await client.subscribe('/chat/*', data => got.push(data))
    await client.subscribe('/news', data => got.push(data))
    await client.publish('/chat/a', { text: 'hello ☃' })
    await client.publish('/news', { list: [1, 2, { three: 'x'.repeat(30_000) }] })
    await client.publish('/chat/secret', {}).then(
      () => log('published'),
      error => log('refused', error.code, error.message)
    )
    bayeux.getClient().publish('/chat/server', 'from the server')
    await until(() => got.length === 3)
    log(got)
    log(events)
    await client.disconnect()
    bayeux.close()
    server.close()
  }
}
