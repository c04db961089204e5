// Echo by websocket-driver, by its message event; with 'ours', by what stands in its place.

import http from 'node:http'
import { control } from '../control.js'

const isOurs = process.argv.includes('ours')
const { default: driver } = await import(isOurs ? '../driver-subject.js' : 'websocket-driver')

const ignore = () => {}
const server = http.createServer().on('upgrade', (request, socket, head) => {
  const ws = driver.http(request, { maxLength: 2 ** 27 })
  ws.on('error', ignore)
  ws.on('close', () => socket.end())
  ws.on('message', ({ data }) => (typeof data === 'string' ? ws.text(data) : ws.binary(data)))
  socket.on('error', ignore)
  ws.io.write(head)
  socket.pipe(ws.io).pipe(socket)
  ws.start()
})

control({
  listen: () => new Promise(resolve => server.listen(0, '127.0.0.1', 4096, () => resolve(server.address().port)))
})
