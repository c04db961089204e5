// Resident memory of a server, where memory is what matters: a broadcast with one client that does not read, and a message that is too large
// to hold. Ours and ws, each server in a process of its own; the clients are in this one.
//
//   npm run build && node benchmarks/memory.js       less than a minute; prints a table
//
// "rise" is the highest resident memory during the case, less what the server took before it.

import { fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import http from 'node:http'
import { setImmediate as turn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const MEGABYTE = 1e6
/** 300 MB, in messages of 100 kB. */
const MESSAGES = 3000
const SIZE = 100_000
/** Answers that the reader sends in a broadcast, so that only the stalled client is behind. */
const STEP = 30
/** One message of 1 GiB, in chunks of 128 KiB. */
const LARGE = 2 ** 30
const CHUNK = 2 ** 17

const [, , role, who] = process.argv
if (role === undefined) await main()
else await serve(role, who)

async function main() {
  console.log('| case | server | rise, MB |\n|---|---|--:|')
  for (const [name, title] of [
    ['broadcast', `a broadcast of ${(MESSAGES * SIZE) / MEGABYTE} MB, one of two clients does not read`],
    ['large', `one message of ${LARGE / 2 ** 30} GiB, hashed`]
  ]) {
    for (const contestant of ['ours', 'ws']) {
      const rise = await measure(name, contestant)
      console.log(`| ${title} | ${contestant} | ${Math.round(rise / MEGABYTE)} |`)
    }
  }
}

/** Starts a server, drives it with clients, and asks for its highest memory. */
async function measure(name, contestant) {
  const child = fork(fileURLToPath(import.meta.url), [name, contestant])
  const [port] = await once(child, 'message')
  const { connect } = await import('./subject.js').then(({ default: ours }) => ours)
  const url = `ws://127.0.0.1:${port}/`
  const answer = once(child, 'message')
  const clients = name === 'broadcast' ? await listeners(connect, url) : [await upload(connect, url)]
  const [rise] = await answer
  for (const ws of clients) ws.destroy()
  child.disconnect()
  await once(child, 'exit')
  return rise
}

/** One that never reads, and one that reads all. */
async function listeners(connect, url) {
  const stalled = connect(url)
  await stalled.opened
  const reader = connect(url)
  let got = 0
  reader.on('message', () => {
    if (++got % STEP === 0) reader.text('more')
  })
  await reader.opened
  reader.text('more')
  return [stalled, reader]
}

async function upload(connect, url) {
  const ws = connect(url)
  ws.on('message', () => {})
  await ws.opened
  const message = ws.createMessage('binary')
  for (let sent = 0; sent < LARGE; sent += CHUNK) {
    if (!message.write(Buffer.alloc(CHUNK, sent >> 17))) await once(message, 'drain')
  }
  message.end()
  return ws
}

/** What each library's own guide does for the case. */
async function serve(name, contestant) {
  const server = http.createServer()
  const report = watchMemory()
  await (contestant === 'ours' ? serveOurs : serveWs)(name, server, report)
  server.listen(0, '127.0.0.1', () => process.send(server.address().port))
  process.once('disconnect', () => process.exit())
}

async function serveOurs(name, server, report) {
  const { acceptWebSockets } = (await import('./subject.js')).default
  const unlimited = { maxMessageSize: Infinity, maxFrameSize: Infinity, maxFragments: Infinity }
  const acceptor = acceptWebSockets(server, unlimited, async ws => {
    if (name === 'broadcast') ws.on('message', () => broadcast(data => acceptor.broadcast(data), report))
    else for await (const message of ws.streams) await hash(message, report)
  })
}

async function serveWs(name, server, report) {
  const { WebSocketServer } = await import('ws')
  const sockets = new WebSocketServer({ server, maxPayload: LARGE, perMessageDeflate: false })
  const sendToAll = data => {
    for (const client of sockets.clients) client.send(data)
  }
  sockets.on('connection', ws => {
    ws.on('error', console.error)
    if (name === 'broadcast') ws.on('message', () => broadcast(sendToAll, report))
    else ws.on('message', data => hash([data], report))
  })
}

let sent = 0
function broadcast(send, report) {
  for (let i = 0; i < STEP && sent < MESSAGES; i++) send(Buffer.alloc(SIZE, sent++))
  if (sent === MESSAGES) report()
}

async function hash(chunks, report) {
  const digest = createHash('sha256')
  for await (const chunk of chunks) digest.update(chunk)
  digest.digest()
  report()
}

/** Looks at the memory every 10 ms; the function that comes back tells the rise. */
function watchMemory() {
  const { rss } = process.memoryUsage()
  let highest = rss
  const look = () => {
    highest = Math.max(highest, process.memoryUsage.rss())
  }
  setInterval(look, 10).unref()
  return async () => {
    await turn()
    look()
    process.send(highest - rss)
  }
}
