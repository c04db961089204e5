// An echo server and a client over real sockets, for the runtime that runs this file: Node, Bun, Deno. Prints a line for each
// check and exits with 1 if one fails. Uses the built package and Node's modules, and no test runner.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'
import { pipeline } from 'node:stream/promises'
import { WebSocketStream } from '../../dist/index.js'

const LIMIT = 30_000
const joins = {
  attach: (ws, socket) => ws.attach(socket),
  pipe: (ws, socket) => socket.pipe(ws).pipe(socket),
  pipeline: (ws, socket) =>
    void pipeline(socket, ws, socket).catch(error => {
      // a wire that ends early is an error here too; any other error shows in the check that fails
      if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE') console.log(`# pipeline(socket, ws, socket): ${error.message}`)
    })
}

/** A server that calls `serve` with each connection, and its port. */
async function listen(serve, { join = joins.attach, options } = {}) {
  const server = net.createServer(socket => {
    socket.on('error', () => {})
    const ws = WebSocketStream.server(options)
    serve(ws)
    join(ws, socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

function dial(server, { join = joins.attach, options } = {}) {
  const { port } = server.address()
  const socket = net.connect(port, '127.0.0.1')
  socket.on('error', () => {})
  const ws = WebSocketStream.client(`ws://127.0.0.1:${port}/echo`, options)
  join(ws, socket)
  return ws
}

const echo = ws => ws.messages.pipe(ws.messages)
const bytes = size => Buffer.from({ length: size }, (_, i) => (i * 7) & 255)

async function echoed(ws, messages) {
  const reader = ws.messages[Symbol.asyncIterator]()
  for (const message of messages) {
    ws.messages.write(message)
    const { value } = await reader.next()
    if (typeof message === 'string') assert.equal(value, message)
    else assert.ok(Buffer.isBuffer(value) && value.equals(message), `${message.length} bytes come back as they were`)
  }
}

async function closesCleanly(ws, server) {
  ws.close(1000, 'that is all')
  assert.deepEqual(await ws.whenClosed(), { code: 1000, reason: 'that is all', wasClean: true, initiator: 'local' })
  server.close()
  await once(server, 'close')
}

const checks = {}

for (const [name, join] of Object.entries(joins)) {
  checks[`text and binary of all sizes come back: ${name}`] = async () => {
    const server = await listen(echo, { join })
    const ws = dial(server, { join })
    const { version } = await ws.opened
    assert.equal(version, 'hybi-13')
    await echoed(ws, ['', 'hello', 'é€😀'.repeat(1000), 'a'.repeat(65536)])
    await echoed(ws, [0, 1, 125, 126, 65535, 65536, 2 ** 20].map(bytes))
    await closesCleanly(ws, server)
  }

  checks[`a message in fragments comes back whole: ${name}`] = async () => {
    const options = { fragmentSize: 1000 }
    const server = await listen(echo, { join, options })
    const ws = dial(server, { join, options })
    await echoed(ws, ['€'.repeat(40_000), bytes(100_000)])
    await closesCleanly(ws, server)
  }

  checks[`a server's close reaches the client with code and reason: ${name}`] = async () => {
    const server = await listen(ws => ws.on('message', message => ws.close(4000, message)), { join })
    const ws = dial(server, { join })
    ws.text('enough')
    assert.deepEqual(await ws.whenClosed(), { code: 4000, reason: 'enough', wasClean: true, initiator: 'peer' })
    server.close()
    await once(server, 'close')
  }

  checks[`a peer that does not read makes write() say false, and later gets everything: ${name}`] = async () => {
    const message = bytes(2 ** 16)
    const count = 512
    let accept
    const accepted = new Promise(resolve => {
      accept = resolve
    })
    const server = await listen(accept, { join })
    const ws = dial(server, { join })
    await ws.opened
    const peer = await accepted
    let sent = 0
    while (sent < count && ws.messages.write(message)) sent = await nextTurn(sent + 1)
    assert.ok(sent < count, `the wire was full after ${sent} messages`)
    assert.ok(ws.bufferedAmount < 2 ** 21, `${ws.bufferedAmount} bytes are held`)
    let read = 0
    peer.on('message', received => {
      read += received.length
    })
    await once(ws.messages, 'drain')
    for (sent++; sent < count; sent++) if (!ws.messages.write(message)) await once(ws.messages, 'drain')
    ws.messages.end()
    assert.equal((await peer.whenClosed()).code, 1000)
    assert.equal(read, count * message.length)
    server.close()
    await once(server, 'close')
  }
}

checks['an HTTP server hands its upgrade over'] = async () => {
  const server = http.createServer()
  server.on('upgrade', (request, socket, head) => {
    const ws = WebSocketStream.http(request, head, { protocols: ['chat'] })
    echo(ws)
    ws.attach(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const ws = dial(server, { options: { protocols: ['chat'] } })
  const { protocol } = await ws.opened
  assert.equal(protocol, 'chat')
  await echoed(ws, ['hello', bytes(100_000)])
  await closesCleanly(ws, server)
}

checks['closed is false, and then true'] = async () => {
  const server = await listen(echo)
  const ws = dial(server)
  await ws.opened
  assert.equal(ws.closed, false)
  await closesCleanly(ws, server)
  assert.equal(ws.closed, true)
}

checks['pings are answered'] = async () => {
  const server = await listen(echo)
  const ws = dial(server)
  await ws.opened
  assert.ok((await ws.ping()) >= 0)
  await closesCleanly(ws, server)
}

checks['a source piped into messages ends in a clean close, and a loop over them ends with it'] = async () => {
  const received = []
  const server = await listen(async ws => {
    for await (const message of ws.messages) received.push(message)
  })
  const ws = dial(server)
  await pipeline(['one', 'two', 'three'], ws.messages)
  assert.equal((await ws.whenClosed()).wasClean, true)
  assert.deepEqual(received, ['one', 'two', 'three'])
  server.close()
  await once(server, 'close')
}

checks['a wire that breaks is 1006, and an error for who reads'] = async () => {
  const server = await listen(ws => ws.on('message', () => ws.destroy()))
  const ws = dial(server)
  ws.text('go')
  await assert.rejects(async () => {
    for await (const message of ws.messages) assert.fail(`got ${message}`)
  }, /./)
  const { code, wasClean } = await ws.whenClosed()
  assert.deepEqual({ code, wasClean }, { code: 1006, wasClean: false })
  server.close()
  await once(server, 'close')
}

checks['a refused handshake carries its status'] = async () => {
  const server = await listen(ws => ws.on('request', () => ws.reject(404)))
  const ws = dial(server)
  await assert.rejects(ws.opened, { name: 'HandshakeError', status: 404 })
  await ws.whenClosed()
  server.close()
  await once(server, 'close')
}

function nextTurn(value) {
  return new Promise(resolve => setImmediate(resolve, value))
}

function inTime(promise) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${LIMIT} ms`)), LIMIT)
  })
  return Promise.race([promise, late]).finally(() => clearTimeout(timer))
}

let failed = 0
for (const [name, check] of Object.entries(checks)) {
  try {
    await inTime(check())
    console.log(`ok ${name}`)
  } catch (error) {
    failed++
    console.log(`not ok ${name}\n${String(error?.stack ?? error).replace(/^/gm, '    ')}`)
  }
}
console.log(`# ${Object.keys(checks).length - failed} passed, ${failed} failed`)
process.exit(failed === 0 ? 0 : 1)
