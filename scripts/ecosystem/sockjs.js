// The conversation in the sockjs scenarios, over one of its transports.

import http from 'node:http'
import { event, listen, until } from './helpers.js'

export async function talk({ log, require }, transport) {
  const sockjs = require('sockjs')
  const SockJS = require('sockjs-client')
  const seen = []
  const echo = sockjs.createServer({ log: () => {} })
  echo.on('connection', connection => {
    seen.push(['connection', connection.protocol, connection.prefix])
    connection.on('data', data => {
      if (data === 'close') connection.close(3001, 'as you wish')
      else connection.write(data)
    })
    connection.on('close', () => seen.push(['closed', connection.readyState]))
  })
  const server = http.createServer()
  echo.installHandlers(server, { prefix: '/echo' })
  const port = await listen(server)
  const client = new SockJS(`http://127.0.0.1:${port}/echo`, null, { transports: [transport] })
  await event(client, 'open')
  log('open', client.transport, client.readyState)
  const got = []
  client.onmessage = ({ data }) => got.push(data)
  for (const text of ['one', '☃ two', JSON.stringify({ three: [3] }), 'x'.repeat(20_000)]) client.send(text)
  await until(() => got.length === 4)
  log(got)
  client.send('close')
  const { code, reason, wasClean } = await event(client, 'close')
  log(code, reason, wasClean)
  await until(() => seen.some(([what]) => what === 'closed'))
  log(seen)
  server.close()
}
