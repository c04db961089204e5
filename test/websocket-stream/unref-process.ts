// Run as a process: a connection with keepalive whose sockets do not keep the process alive. The process must end by itself.

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { WebSocketStream } from '../../lib/index.js'

const [role = 'server'] = process.argv.slice(2)
const KEEPALIVE = { keepalive: { interval: 3_600_000 } }

const server = createServer().listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as AddressInfo
const dialled = connect(port, '127.0.0.1')
const [accepted] = (await once(server, 'connection')) as [Socket]
server.close()
const [near, far] = role === 'server' ? [accepted, dialled] : [dialled, accepted]
const sides = {
  server: WebSocketStream.server(role === 'server' ? KEEPALIVE : {}),
  client: WebSocketStream.client(`ws://127.0.0.1:${port}/`, role === 'client' ? KEEPALIVE : {})
}
sides[role as 'server' | 'client'].attach(near)
sides[role === 'server' ? 'client' : 'server'].attach(far)
await Promise.all([sides.server.opened, sides.client.opened])
// its message has been read, and it waits
sides.client.text('hello')
sides.server.text('hello')
await Promise.all([once(sides.server, 'message'), once(sides.client, 'message')])
process.send?.(['open', role])
near.unref()
far.unref()
if (process.connected) process.disconnect()
