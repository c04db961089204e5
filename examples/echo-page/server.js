// The echo page: a small web server whose one page talks to it over WebSockets. `npm start` runs this file.
//
//   server.js        the HTTP server, which path goes where, and how it all ends
//   endpoints.js     what happens on /echo, /flood and /stats
//   keeper.js        a server to compare with, which keeps all that it is sent: /keep, in a process of its own
//   session.js       what is remembered of one page: its connections, and the sample that /stats sends of them
//   static-files.js  the page itself
//   public/          what the browser gets

import { fork } from 'node:child_process'
import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { isWebSocket, WebSocketStream } from 'websocket-duplex'
import { echo, flood, PROTOCOLS, refuse, stats } from './endpoints.js'
import { Session } from './session.js'
import { serveFile } from './static-files.js'

const ENDPOINTS = new Map([
  ['/echo', echo],
  ['/flood', flood],
  ['/stats', stats]
])
const HOST = '127.0.0.1'
const GOING_AWAY = 1001
const KEEPER = fileURLToPath(new URL('keeper.js', import.meta.url))

/** A page names itself in the query of its three connections, which is how they find each other here. */
const sessions = new Map()

/** The process of keeper.js, from the first that asks for it. */
let keeper = null

const server = createServer(serveFile)
server.on('upgrade', upgrade)
server.on('error', error => {
  const problem = error.code === 'EADDRINUSE' ? 'it is in use; PORT=0 takes a free one' : error.message
  fail(`websocket-duplex echo page: cannot listen on port ${port}: ${problem}`)
})

const port = readPort(process.env.PORT)
server.listen(port, HOST, () => {
  console.log(`websocket-duplex echo page: http://${HOST}:${server.address().port}/`)
})

// `once`, so that a second Ctrl-C finds no listener and ends the process, as it does by default
process.once('SIGINT', shutDown)
process.once('SIGTERM', shutDown)

function upgrade(request, socket, head) {
  // an upgrade to another protocol, which this server does not speak
  if (!isWebSocket(request)) return socket.destroy()

  // Browsers let any site open a WebSocket to any server, this one included: the server must refuse other origins.
  const { port } = server.address()
  const origins = [`http://${HOST}:${port}`, `http://localhost:${port}`]
  const [path, query] = request.url.split('?')
  if (path === '/keep' && origins.includes(request.headers.origin)) return handToKeeper(request, socket, head)

  const ws = WebSocketStream.http(request, head, { protocols: PROTOCOLS, origins, closeTimeout: 5000 })
  const endpoint = ENDPOINTS.get(path) ?? refuse
  endpoint(ws, joinSession(ws, query), { socket, head })

  // Like socket.pipe(ws).pipe(socket), and passes errors and destruction on in both directions.
  ws.attach(socket)
}

/** Passes the socket to another process, which answers the handshake. */
function handToKeeper({ method, url, headers, httpVersion }, socket, head) {
  keeper ??= startKeeper()
  keeper.send({ request: { method, url, headers, httpVersion }, head: head.toString('base64') }, socket)
}

function startKeeper() {
  const child = fork(KEEPER)
  child.on('message', state => {
    for (const session of sessions.values()) session.keeper = state
  })
  child.on('exit', () => {
    if (keeper === child) keeper = null
    for (const session of sessions.values()) session.keeper = null
  })
  return child
}

/** Adds a connection to the session of its page; the session goes when its last connection is over. */
function joinSession(ws, query) {
  const parameters = new URLSearchParams(query)
  const page = parameters.get('page') ?? ''
  const session = sessions.get(page) ?? new Session()
  sessions.set(page, session)
  session.join(ws, Number(parameters.get('connection')))
  ws.whenClosed().then(() => {
    session.leave(ws)
    if (session.isEmpty && sessions.get(page) === session) sessions.delete(page)
  })
  return session
}

/** Closes every connection in order, waits for the browsers' answers, and ends the process. */
async function shutDown() {
  process.off('SIGINT', shutDown)
  process.off('SIGTERM', shutDown)
  server.close()

  const all = [...sessions.values()]
  const count = all.reduce((sum, session) => sum + session.connections.size, 0)
  console.log(`\nclosing ${count} connection${count === 1 ? '' : 's'}; Ctrl-C again ends at once`)
  await Promise.all(all.map(session => session.end(GOING_AWAY, 'the server is shutting down')))
  keeper?.disconnect()
  console.log('all closed')
  process.exit(0)
}

function readPort(text = '8080') {
  const number = Number(text)
  if (/^\d+$/.test(text) && number <= 65535) return number
  return fail(`websocket-duplex echo page: PORT must be a number from 0 to 65535, not '${text}'`)
}

function fail(message) {
  console.error(message)
  process.exit(1)
}
