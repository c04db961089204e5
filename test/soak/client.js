// Run as a process by soak.js: holds many connections of various kinds to its server, which come and go until time is up.

import { once } from 'node:events'
import net from 'node:net'
import { connect, permessageDeflate } from '../../dist/index.js'
import { bytes, heapInUse, KINDS, newCounts, rest, sizeOf, sumOf, text } from './counts.js'

const port = Number(process.argv[2])
const extensions = [permessageDeflate()]
const counts = newCounts()
const faults = []
let open = 0
let dialled = 0

const THINK = 400
const think = () => rest(Math.random() * THINK)

/** A different source address for every few connections: there are fewer ports than connections in TIME_WAIT. */
const localAddress = () => `127.0.0.${2 + (dialled++ % 32)}`

const talks = { text: echo(() => text(2000)), binary: echo(() => bytes(20_000)), compressed: echo(() => text(8000)) }
Object.assign(talks, { streamed, slow })

/** One connection of a kind, from its beginning to its end. */
async function whole(kind) {
  const ws = connect(`ws://127.0.0.1:${port}/${kind}`, {
    socket: { localAddress: localAddress() },
    handshakeTimeout: 60_000,
    closeTimeout: 60_000,
    ...(kind === 'compressed' && { extensions })
  })
  await ws.opened
  counts[kind].opened++
  await talks[kind](ws, counts[kind])
  ws.close(1000)
  const { code, wasClean } = await ws.whenClosed()
  if (wasClean && code === 1000) counts[kind].clean++
  else throw new Error(`an end with ${code}`)
}

function echo(make) {
  return async (ws, count) => {
    const replies = ws.messages[Symbol.asyncIterator]()
    for (let i = 0; i < 12; i++) {
      const message = make()
      count.didSend(sizeOf(message), sumOf(message))
      ws.messages.write(message)
      check(await replies.next(), message, count)
      await think()
    }
  }
}

function check({ value, done }, expected, count) {
  if (done) throw new Error('an end in place of an answer')
  const sum = sumOf(value)
  count.didReceive(sizeOf(value), sum)
  if (typeof value !== typeof expected || sum !== sumOf(expected)) throw new Error('an answer is another')
}

async function streamed(ws, count) {
  const replies = ws.messages[Symbol.asyncIterator]()
  for (let i = 0; i < 6; i++) {
    const parts = Array.from({ length: 5 }, () => bytes(8000))
    const message = Buffer.concat(parts)
    count.didSend(message.length, sumOf(message))
    const writer = ws.createMessage('binary')
    for (const part of parts) if (!writer.write(part)) await once(writer, 'drain')
    writer.end()
    check(await replies.next(), message, count)
    await think()
  }
}

/** Reads far more slowly than the server sends. */
async function slow(ws, count) {
  const expected = Array.from({ length: 20 }, () => bytes(30_000))
  const replies = ws.messages[Symbol.asyncIterator]()
  const reading = (async () => {
    for (const message of expected) {
      check(await replies.next(), message, count)
      await rest(Math.random() * 150)
    }
  })()
  for (const message of expected) {
    count.didSend(message.length, sumOf(message))
    if (!ws.messages.write(message)) await Promise.race([once(ws.messages, 'drain'), reading])
  }
  await reading
}

const REQUEST = [
  'GET /broken HTTP/1.1',
  'Host: a',
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  '\r\n'
].join('\r\n')

/** Errors that a peer makes; the server ends what it leaves open. */
const WAYS_TO_BREAK = [
  socket => socket.destroy(),
  socket => socket.write(REQUEST.slice(0, 40), () => socket.resetAndDestroy()),
  socket => socket.write(REQUEST.slice(0, 40)),
  socket => socket.write('garbage\r\n\r\n'),
  socket => socket.write(`${REQUEST}\x81\x01a`, 'latin1'),
  socket => socket.write(`${REQUEST}\x81\x81\x00\x00\x00\x00\xff`, 'latin1'),
  socket => socket.write(`${REQUEST}\x82\xff\x00\x00\x01\x00\x00\x00\x00\x00abcd`, 'latin1'),
  socket => socket.write(`${REQUEST}\x82\xfe\x10\x00abcdefgh`, 'latin1', () => socket.resetAndDestroy()),
  socket => socket.end(`${REQUEST}\x82\xfe\x10\x00abcdefgh`, 'latin1'),
  // a Close, and nothing more
  socket => socket.write(`${REQUEST}\x88\x80abcd`, 'latin1')
]

async function broken() {
  const count = counts.broken
  if (Math.random() < 0.2) {
    const ws = connect(`ws://127.0.0.1:${port}/broken`, {
      socket: { localAddress: localAddress() },
      handshakeTimeout: 60_000
    })
    await ws.opened
    count.opened++
    ws.messages.on('error', () => {})
    ws.createMessage('binary')
      .on('error', () => {})
      .write(bytes(10_000))
    await think()
    ws.destroy()
    await ws.whenClosed()
    return
  }
  const socket = net.connect({ port, host: '127.0.0.1', localAddress: localAddress() })
  socket.on('error', () => {})
  const over = new Promise(resolve => socket.on('close', resolve))
  await Promise.race([new Promise(resolve => socket.on('connect', resolve)), over])
  count.opened++
  WAYS_TO_BREAK[Math.floor(Math.random() * WAYS_TO_BREAK.length)](socket)
  socket.resume()
  await over
}

/** A place for one connection at a time, until time is up. */
async function slot(index, until) {
  await rest(Math.random() * THINK)
  for (let i = index; Date.now() < until; i++) {
    const kind = KINDS[i % KINDS.length]
    open++
    try {
      await (kind === 'broken' ? broken() : whole(kind))
    } catch (error) {
      faults.push(`${kind}: ${error.code ?? ''} ${error.message} ${error.cause?.message ?? ''}`)
    }
    open--
  }
}

async function hold(connections, seconds) {
  const until = Date.now() + seconds * 1000
  await Promise.all(Array.from({ length: connections }, (_, i) => slot(i, until)))
}

process.on('message', async ([order, ...args]) => {
  if (order === 'hold') {
    await hold(...args)
    process.send(['held', { counts, faults: faults.slice(0, 10), heap: await heapInUse() }])
  } else if (order === 'size') {
    process.send(['size', { open, heap: await heapInUse(), rss: process.memoryUsage.rss() }])
  } else {
    process.disconnect()
  }
})
process.send(['ready'])
