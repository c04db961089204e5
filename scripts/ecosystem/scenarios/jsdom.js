// The WebSocket of a page in jsdom.

import { once } from 'node:events'
import { until } from '../helpers.js'

export default {
  what: 'the WebSocket of a page: events, binaryType, subprotocol, cookies, closes',
  packages: { jsdom: '26.1.0', ws: '8.18.3' },
  putIn: { ws: 'websocket-duplex-ws' },
  async run({ log, require }) {
    const { WebSocketServer } = require('ws')
    const { JSDOM, CookieJar } = require('jsdom')
    const wss = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    await once(wss, 'listening')
    wss.on('connection', (socket, { headers }) => {
      socket.send(`${headers.cookie} ${headers.origin}`)
      socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
    })
    const { port } = wss.address()
    const cookieJar = new CookieJar()
    await cookieJar.setCookie('a=b', `http://127.0.0.1:${port}/`)
    const { window } = new JSDOM('', { url: 'http://127.0.0.1/', cookieJar })
    const ws = new window.WebSocket(`ws://127.0.0.1:${port}/`, ['chat'])
    ws.binaryType = 'arraybuffer'
    const seen = []
    for (const name of ['open', 'error', 'close']) {
      ws.addEventListener(name, ({ type, code, reason, wasClean }) => seen.push([type, code, reason, wasClean]))
    }
    ws.onmessage = ({ data }) => seen.push(typeof data === 'string' ? data : data.byteLength)
    await until(() => seen.length === 2)
    ws.send('text')
    ws.send(new window.Uint8Array([1, 2, 3]))
    await until(() => seen.length === 4)
    log(ws.protocol, ws.readyState, ws.extensions)
    ws.close(3000, 'done')
    await until(() => seen.length === 5)
    log(seen)
    window.close()
    wss.close()
  }
}
