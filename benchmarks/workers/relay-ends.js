// Both ends of a relay under test: a target that echoes, and a client that has so many messages under way. Every echo is compared.

import http from 'node:http'
import { WebSocket, WebSocketServer } from 'ws'
import { control } from '../control.js'

const WORDS = ['price', 'volume', 'symbol', 'time', 'bid', 'ask', 'open', 'close', 'true', 'null']
let client

/** Text as feeds send it: of a small vocabulary, with numbers in it. */
function textOf(size, seed) {
  let text = ''
  for (let i = 0; text.length < size; i++)
    text += `"${WORDS[(i * 7 + seed) % WORDS.length]}":${(i * 7919 + seed) % 9973},`
  return text.slice(0, size)
}

control({
  async listen({ compressed }) {
    const server = http.createServer()
    const perMessageDeflate = compressed && { threshold: 0 }
    new WebSocketServer({ server, perMessageDeflate }).on('connection', ws => {
      ws.on('message', (data, binary) => ws.send(data, { binary }))
    })
    return new Promise(resolve => server.listen(0, '127.0.0.1', () => resolve(server.address().port)))
  },

  connect({ port, compressed }) {
    client = new WebSocket(`ws://127.0.0.1:${port}/`, { perMessageDeflate: compressed && { threshold: 0 } })
    return new Promise((resolve, reject) => client.on('open', () => resolve(client.extensions)).on('error', reject))
  },

  run({ size, count, inFlight }) {
    const texts = Array.from({ length: 32 }, (_, seed) => textOf(size, seed))
    return new Promise((resolve, reject) => {
      let sent = 0
      let back = 0
      const send = () => sent < count && client.send(texts[sent++ % texts.length])
      const take = data => {
        if (data.toString() !== texts[back % texts.length]) reject(new Error(`message ${back} came back wrong`))
        if (++back < count) return send()
        client.off('message', take)
        resolve(back)
      }
      client.on('message', take)
      for (let i = 0; i < inFlight; i++) send()
    })
  }
})
