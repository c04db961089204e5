// Sends each message to many clients: it is framed once, and all connections share its bytes. A slow client does not delay the others, and
// the server buffers no messages for it.
//
//   node examples/broadcast/server.js            ws://127.0.0.1:8080/ (or PORT): the time, ten times a second (or every INTERVAL ms)
//   node examples/broadcast/server.js 10000      with this many receivers, in another process; one in a hundred does not read
//
//   POLICY=conflate   a slow client misses messages, and gets the newest one when there is room; the default
//   POLICY=close      a slow client is closed with 1013, and may connect again later

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { acceptWebSockets, prepareMessage } from 'websocket-duplex'

const { PORT = '8080', POLICY = 'conflate', INTERVAL = '100' } = process.env
const HOST = '127.0.0.1'
const TRY_AGAIN_LATER = 1013
const PADDING = 'x'.repeat(1000)

const receivers = new Set()
const counts = { sent: 0, conflated: 0, closed: 0 }

function join(ws) {
  const receiver = { ws, isBehind: false, newest: null }
  receivers.add(receiver)
  // messages of receivers are dropped
  ws.messages.resume()
  ws.messages.on('drain', () => {
    const { newest } = receiver
    receiver.isBehind = false
    receiver.newest = null
    if (newest !== null) send(receiver, newest)
  })
  ws.whenClosed().then(() => receivers.delete(receiver))
}

function broadcast(text) {
  const message = prepareMessage(text)
  for (const receiver of receivers) {
    if (receiver.isBehind) fallBehind(receiver, message)
    else send(receiver, message)
  }
}

function send(receiver, message) {
  receiver.isBehind = !receiver.ws.messages.write(message)
  counts.sent++
}

function fallBehind(receiver, message) {
  if (POLICY === 'conflate') {
    if (receiver.newest !== null) counts.conflated++
    receiver.newest = message
  } else {
    counts.closed++
    receivers.delete(receiver)
    receiver.ws.close(TRY_AGAIN_LATER, 'too slow')
  }
}

const server = createServer((_request, response) => response.writeHead(426).end('only WebSockets here\n'))
const acceptor = acceptWebSockets(server, { closeTimeout: 2000 }, join)

server.listen(Number(PORT), HOST, async () => {
  const url = `ws://${HOST}:${server.address().port}/`
  console.log(`broadcast: ${url}`)
  await receive(url, Number(process.argv[2] ?? 0))
  setInterval(() => broadcast(JSON.stringify({ time: Date.now(), PADDING })), Number(INTERVAL))
  setInterval(() => console.log(report()), 1000)
})

function report() {
  const { rss } = process.memoryUsage()
  return JSON.stringify({ receivers: receivers.size, ...counts, mebibytes: Math.round(rss / 2 ** 20) })
}

/** Starts receivers, and waits until all are connected; they end with this process. */
async function receive(url, count) {
  if (count > 0) await once(fork(new URL('receivers.js', import.meta.url), [url, count]), 'message')
}

process.once('SIGTERM', async () => {
  await acceptor.close()
  process.exit()
})
