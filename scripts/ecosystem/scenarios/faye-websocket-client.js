// A client of faye-websocket, and ws as its server.

import { once } from 'node:events'
import http from 'node:http'
import { event, listen, until } from '../helpers.js'

export default {
  what: 'a client: messages, fields, pings, subprotocols, closes, refusals',
  packages: { 'faye-websocket': '0.11.4', ws: '8.18.3', 'permessage-deflate': '0.1.7' },
  putIn: { 'websocket-driver': 'websocket-duplex-driver' },
  quick: true,
  async run({ log, require }) {
    const { Client } = require('faye-websocket')
    const { WebSocketServer } = require('ws')
    const deflate = require('permessage-deflate')
    const server = http.createServer()
    const seen = []
    const sockets = new WebSocketServer({
      noServer: true,
      perMessageDeflate: true,
      handleProtocols: set => [...set][1]
    })
    server.on('upgrade', (request, socket, head) => {
      const { headers, url } = request
      seen.push([url, headers['user-agent'], headers.authorization, headers.origin, headers['sec-websocket-protocol']])
      if (url === '/refused') {
        socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\nX-Why: because\r\n\r\nno')
        return
      }
      sockets.handleUpgrade(request, socket, head, ws => {
        ws.on('message', (data, isBinary) => {
          if (String(data) === 'close') ws.close(3002, 'closed')
          else if (String(data) === 'cut') ws.terminate()
          else ws.send(data, { binary: isBinary })
        })
        ws.on('ping', data => seen.push(['pinged', data]))
        ws.on('close', (code, reason) => seen.push(['closed', code, String(reason)]))
      })
    })
    const port = await listen(server)
    const make = (path, options) => {
      const client = new Client(`ws://user:pass@127.0.0.1:${port}${path}`, ['one', 'two'], options)
      client.on('error', ({ message }) => log('error', typeof message))
      return client
    }

    for (const extensions of [[], [deflate]]) {
      const headers = { 'User-Agent': 'faye', Origin: 'http://origin.example' }
      const client = make('/open?a=b', { headers, extensions })
      log(client.readyState, client.version)
      client.send('sent early')
      await event(client, 'open')
      log(client.readyState, client.protocol, client.statusCode, client.headers.upgrade)
      const got = []
      client.on('message', ({ data }) => got.push(data))
      await until(() => got.length === 1)
      for (const data of ['text', Buffer.from([1, 2, 3]), '', 'ä☃', 'x'.repeat(100_000), Buffer.alloc(70_000, 7)]) {
        const count = got.length
        log(client.send(data))
        await until(() => got.length > count)
      }
      await new Promise(resolve => client.ping('ping', resolve))
      log(got)
      client.close(4001, 'bye')
      log(client.readyState)
      const { code, reason } = await event(client, 'close')
      log(code, reason, client.readyState, client.send('late'))
    }
    for (const word of ['close', 'cut']) {
      const client = make('/open')
      await event(client, 'open')
      client.send(word)
      const { code, reason } = await event(client, 'close')
      log(word, code, reason)
    }
    const refused = make('/refused')
    const { code } = await event(refused, 'close')
    log('refused', code, refused.statusCode, refused.headers['x-why'])
    await until(() => seen.filter(([what]) => what === 'closed').length === 4)
    log(seen)
    await once(sockets, 'close', sockets.close())
    server.close()
  }
}
