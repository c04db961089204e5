// A reverse proxy for WebSockets, with a page that shows its connections.
//
//   node examples/reverse-proxy/server.js ws://127.0.0.1:9000/app
//
// Every WebSocket to http://127.0.0.1:8080/ (or PORT), on any path, goes to that target, with its own path and query. GET / is the
// live view: a row for each connection, by Server-Sent Events from /events.

import { createServer } from 'node:http'
import { isWebSocket, relay, WebSocketStream } from 'websocket-duplex'

const HOST = '127.0.0.1'
const [target] = process.argv.slice(2)
if (target === undefined) {
  console.error('usage: server.js <ws://target>')
  process.exit(1)
}

/** The current connections, and the last ones that ended. */
const connections = new Map()
const KEPT = 50
let count = 0

const server = createServer(serve)
server.on('upgrade', (request, socket, head) => {
  if (!isWebSocket(request)) return socket.destroy()
  // frames of any size may pass, since none is held whole
  const ws = WebSocketStream.http(request, head, { maxFrameSize: Infinity })
  ws.attach(socket)
  follow(
    request,
    relay(ws, target, { forwardPath: true, forwarded: 'x-forwarded', forwardHeaders: ['cookie', 'origin'] })
  )
})
server.listen(Number(process.env.PORT ?? 8080), HOST, () => {
  console.log(`reverse proxy: http://${HOST}:${server.address().port}/ to ${target}`)
})

function follow({ url, socket }, joined) {
  const row = { id: ++count, path: url, from: socket.remoteAddress, state: 'connecting', since: Date.now(), joined }
  connections.set(row.id, row)
  joined.opened.then(
    ({ form, protocol, extensions }) => Object.assign(row, { state: 'open', form, protocol, extensions }),
    error => Object.assign(row, { state: `failed: ${error.message}` })
  )
  joined.closed.then(({ client }) => {
    if (row.state === 'open') row.state = `closed ${client.code} ${client.reason}`.trim()
    row.joined = { stats: structuredClone(joined.stats) }
    for (const [id, { joined }] of connections) if (connections.size > KEPT && !joined.client) connections.delete(id)
  })
}

function serve({ url }, response) {
  if (url === '/events') return sendEvents(response)
  response.setHeader('Content-Security-Policy', "default-src 'self' 'unsafe-inline'")
  response.writeHead(url === '/' ? 200 : 404, { 'Content-Type': 'text/html; charset=utf-8' })
  response.end(url === '/' ? PAGE : 'not found')
}

function sendEvents(response) {
  response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' })
  const send = () => {
    const rows = [...connections.values()].map(({ joined, ...row }) => ({ ...row, ...joined.stats }))
    // a slow page gets fewer updates
    if (!response.writableNeedDrain) response.write(`data: ${JSON.stringify(rows)}\n\n`)
  }
  const timer = setInterval(send, 250)
  response.on('close', () => clearInterval(timer))
  send()
}

const PAGE = `<!doctype html>
<html lang="en">
<title>Reverse proxy</title>
<link rel="icon" href="data:,">
<style>
  body { font: 14px/1.5 system-ui; margin: 2rem }
  table { border-collapse: collapse }
  td, th { padding: .2rem .8rem; border-bottom: 1px solid #ddd; text-align: left; font-variant-numeric: tabular-nums }
</style>
<h1>Connections</h1>
<table>
  <thead><tr><th>#<th>from<th>path<th>state<th>form<th>frames →<th>bytes →<th>← frames<th>← bytes</thead>
  <tbody></tbody>
</table>
<script>
  const body = document.querySelector('tbody')
  new EventSource('/events').onmessage = ({ data }) => {
    body.replaceChildren(...JSON.parse(data).reverse().map(row => {
      const { fromClient, fromTarget } = row
      const tr = document.createElement('tr')
      const cells = [row.id, row.from, row.path, row.state, row.form ?? '', fromClient.frames, fromClient.bytes, fromTarget.frames, fromTarget.bytes]
      for (const text of cells) tr.insertCell().textContent = text
      return tr
    }))
  }
</script>
`

process.once('SIGTERM', async () => {
  server.close()
  const open = [...connections.values()].filter(({ joined }) => joined.client).map(({ joined }) => joined)
  for (const joined of open) joined.close(1001, 'the proxy is shutting down')
  await Promise.all(open.map(joined => joined.closed))
  process.exit()
})
