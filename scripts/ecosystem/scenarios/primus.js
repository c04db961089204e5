// primus with ws as its transformer.

import http from 'node:http'
import { listen, until } from '../helpers.js'

export default {
  what: 'the transformer of ws: objects both ways, a broadcast, the end of both',
  packages: { primus: '8.0.9', ws: '8.18.3' },
  putIn: { ws: 'websocket-duplex-ws' },
  quick: true,
  async run({ log, require }) {
    const Primus = require('primus')
    const server = http.createServer()
    const primus = new Primus(server, { transformer: 'websockets' })
    const seen = []
    primus.on('connection', spark => {
      spark.on('data', data => spark.write({ echo: data }))
      spark.on('end', () => seen.push('spark ended'))
    })
    const port = await listen(server)
    const client = new primus.Socket(`http://127.0.0.1:${port}`)
    const got = []
    client.on('data', data => got.push(data))
    await new Promise(resolve => client.on('open', resolve))
    client.write({ hello: 'ü☃' })
    client.write('x'.repeat(100_000))
    await until(() => got.length === 2)
    primus.write('to all')
    await until(() => got.length === 3)
    log(got)
    client.end()
    await until(() => seen.length === 1)
    log(seen)
    primus.destroy({ close: true, reconnect: false })
  }
}
