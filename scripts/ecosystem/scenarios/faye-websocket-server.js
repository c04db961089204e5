// A server of faye-websocket, and ws as its client.

import { once } from 'node:events'
import http from 'node:http'
import { listen, until } from '../helpers.js'

export default {
  what: 'a server: messages, fragments, pings, subprotocols, closes, compression, refusals',
  packages: { 'faye-websocket': '0.11.4', ws: '8.18.3', 'permessage-deflate': '0.1.7' },
  putIn: { 'websocket-driver': 'websocket-duplex-driver' },
  quick: true,
  async run({ log, require }) {
    const FayeSocket = require('faye-websocket')
    const { WebSocket } = require('ws')
    const deflate = require('permessage-deflate')
    const seen = []
    const server = http.createServer()
    server.on('upgrade', (request, socket, head) => {
      seen.push(['is a WebSocket', FayeSocket.isWebSocket(request)])
      const options = { headers: { 'X-Server': 'faye' }, ping: 60, maxLength: 2 ** 20, extensions: [deflate] }
      const ws = new FayeSocket(request, socket, head, ['chat', 'echo'], options)
      seen.push([ws.readyState, ws.version, new URL(ws.url).pathname])
      ws.on('open', () => seen.push(['open', ws.readyState, ws.protocol]))
      ws.on('message', ({ data }) => {
        seen.push(['message', data])
        if (data === 'close me') ws.close(3001, 'as you wish')
        else ws.send(data)
      })
      ws.on('error', ({ message }) => seen.push(['error', typeof message]))
      ws.on('close', ({ code, reason }) => seen.push(['close', code, reason, ws.readyState]))
    })
    const port = await listen(server)
    const flush = () => log(seen.splice(0))

    for (const perMessageDeflate of [false, true]) {
      const client = new WebSocket(`ws://127.0.0.1:${port}/path?q=1`, ['none', 'echo'], { perMessageDeflate })
      const got = []
      client.on('upgrade', ({ headers }) => log('upgrade', headers['x-server'], headers['sec-websocket-extensions']))
      client.on('message', (data, isBinary) => got.push([isBinary, isBinary ? data : data.toString()]))
      client.on('pong', data => got.push(['pong', data]))
      await once(client, 'open')
      for (const data of ['text', Buffer.from([1, 2, 3]), '', 'ä☃', 'x'.repeat(100_000), Buffer.alloc(70_000, 7)]) {
        const count = got.length
        client.send(data)
        await until(() => got.length > count)
      }
      client.send('in ', { fin: false })
      client.send('pieces', { fin: true })
      await until(() => got.length === 7)
      client.ping('are you there')
      await until(() => got.length === 8)
      log(client.protocol, got)
      flush()
      client.close(4000, 'that is all')
      log(...(await once(client, 'close')).map(String))
      await until(() => seen.length > 0)
      flush()
    }

    const closed = new WebSocket(`ws://127.0.0.1:${port}/`)
    await once(closed, 'open')
    closed.send('close me')
    log(...(await once(closed, 'close')).map(String))
    await until(() => seen.some(([what]) => what === 'close'))
    flush()

    const large = new WebSocket(`ws://127.0.0.1:${port}/`, { perMessageDeflate: false })
    large.on('error', () => {})
    await once(large, 'open')
    large.send(Buffer.alloc(2 ** 20 + 1))
    log('too large', (await once(large, 'close'))[0])
    await until(() => seen.some(([what]) => what === 'close'))
    log(seen.splice(0).map(([what, code]) => (what === 'close' ? [what, code] : what)))

    const gone = new WebSocket(`ws://127.0.0.1:${port}/`, { perMessageDeflate: false })
    await once(gone, 'open')
    gone.terminate()
    await until(() => seen.some(([what]) => what === 'close'))
    flush()
    server.close()
  }
}
