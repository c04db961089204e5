// One of several processes, on one host or many, that distribute the messages of rooms. Rooms are at /rooms/<name>; ?after=SEQ resumes
// after that message. A message to a room goes to the broker, and from there to all processes that have members of the room.
//
//   PORT=8081 NATS=127.0.0.1:4222 node examples/broker/server.js
//
//   HOST       where it listens: 127.0.0.1
//   NATS       servers of the broker, separated by commas: 127.0.0.1:4222
//   REPLICAS   how many of them store each message, if they are a cluster: 1

import { createServer } from 'node:http'
import { acceptWebSockets } from 'websocket-duplex'
import { Broker } from './broker.js'
import { counts, Member } from './member.js'
import { Rooms } from './room.js'

const { HOST = '127.0.0.1', PORT = '8081', NATS = '127.0.0.1:4222', REPLICAS = '1' } = process.env
/** A name is a part of a subject: no dots, no stars. */
const PATH = /^\/rooms\/([\w-]{1,64})$/
const OPTIONS = { maxConnections: 200_000, maxMessageSize: 8192, closeTimeout: 2000, keepalive: { interval: 30_000 } }

const broker = await Broker.connect(NATS.split(','), Number(REPLICAS))
const rooms = new Rooms(broker)
let isLeaving = false

const server = createServer(answer)
const acceptor = acceptWebSockets(server, { ...OPTIONS, verify }, serve)
acceptor.on('error', (error, { url }) => console.error(url, error.message))

server.listen(Number(PORT), HOST, () => console.log(`rooms: ws://${HOST}:${server.address().port}/rooms/`))

function verify({ url }) {
  const { pathname, searchParams } = new URL(url, 'ws://here')
  const [, name] = PATH.exec(pathname) ?? []
  if (name === undefined) return { status: 404 }
  const after = searchParams.get('after')
  if (after !== null && !/^\d{1,15}$/.test(after)) return { status: 400 }
  if (!broker.isConnected) return { status: 503 }
  return { context: { name, after: after === null ? null : Number(after) } }
}

async function serve(ws, _request, { name, after }) {
  const room = await rooms.enter(name)
  try {
    await new Member(ws, room).stay(after)
  } finally {
    await rooms.leave(name)
  }
}

/** A load balancer requests /health, and sends no more connections to a process that answers 503. */
function answer({ url }, response) {
  // upgrades come here after the acceptor has been closed
  if (isLeaving) return response.writeHead(503).end()
  if (url !== '/health') return response.writeHead(404).end()
  const { isConnected: isHealthy } = broker
  const { rss } = process.memoryUsage()
  response.writeHead(isHealthy ? 200 : 503, { 'Content-Type': 'application/json' })
  response.end(JSON.stringify({ isHealthy, connections: acceptor.size, rooms: rooms.size, ...counts, rss }))
}

process.once('SIGTERM', async () => {
  isLeaving = true
  server.close()
  // clients reconnect to another process, and send unacknowledged messages again there
  await acceptor.close({ code: 1001, reason: 'this process is leaving', timeout: 5000 })
  await broker.close()
  process.exit()
})
