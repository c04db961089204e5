// A server of tiny-lr, which tells browsers to reload.

import { event, get, until } from '../helpers.js'

export default {
  what: 'a server: the greeting, what has changed, by HTTP and by call, and the list of clients',
  packages: { 'tiny-lr': '2.0.0', 'faye-websocket': '0.11.4' },
  putIn: { 'websocket-driver': 'websocket-duplex-driver' },
  quick: true,
  async run({ log, require }) {
    const tinylr = require('tiny-lr')
    const { Client } = require('faye-websocket')
    const server = tinylr()
    await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.server.address()
    const client = new Client(`ws://127.0.0.1:${port}/livereload`)
    await event(client, 'open')
    const got = []
    client.on('message', ({ data }) => got.push(JSON.parse(data)))
    client.send(JSON.stringify({ command: 'hello', protocols: ['http://livereload.com/protocols/official-7'] }))
    await until(() => got.length === 1)
    client.send(JSON.stringify({ command: 'info', url: 'http://page.example/' }))
    const { status, body } = await get(`http://127.0.0.1:${port}/changed?files=a.css,b.js`)
    log(status, JSON.parse(body).files)
    await until(() => got.length === 3)
    server.changed({ body: { files: ['c.html'] } })
    await until(() => got.length === 4)
    log(got)
    log(Object.keys(server.clients).length)
    client.close()
    const { code } = await event(client, 'close')
    await until(() => Object.keys(server.clients).length === 0)
    log(code, 'left')
    server.close()
  }
}
