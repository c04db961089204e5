// `npm run soak -- --minutes 10 [--connections 2000]`: connections of all kinds come and go between this
// process, which is the server, and another, which is the client. Memory must stay flat in both, and everything sent must arrive. With
// `--leak` connections are kept, to check that a leak would be noticed.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { crc32 } from 'node:zlib'
import { permessageDeflate, WebSocketStream } from '../../dist/index.js'
import { heapInUse, newCounts, rest, sizeOf, sumOf, WHOLE } from './counts.js'

const MIB = 2 ** 20
const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '1' },
    seconds: { type: 'string' },
    connections: { type: 'string', default: '2000' },
    leak: { type: 'boolean', default: false }
  }
})
const seconds = values.seconds === undefined ? Number(values.minutes) * 60 : Number(values.seconds)
const connections = Number(values.connections)
if (!(seconds > 0) || !(connections > 0))
  throw new RangeError('--minutes, --seconds and --connections are numbers over 0')

/** By how much memory may grow over the time that is measured, by the slope of its samples, as far as that is sure: so many bytes,
 * or this part of it. */
const TOLERANCE = { heap: { bytes: 6 * MIB, part: 0.1 }, rss: { bytes: 48 * MIB, part: 0.15 } }
/** The memory that may be left after all connections have ended, more than after a first round: in all, and for each connection. */
const LEFT = { bytes: MIB, each: 300 }
/** The first part of the time, in which pools and the heap reach their size, is not measured. */
const WARM = 0.3

/** Milliseconds for handshakes and closes: a broken connection lasts this long. */
const PATIENCE = Math.min(10_000, seconds * 400)

setFlagsFromString('--expose-gc')
globalThis.gc = runInNewContext('gc')

// The server

const counts = newCounts()
const extensions = [permessageDeflate()]
const leaked = []
const state = { accepted: 0, closes: 0, uncaught: [] }
process.on('uncaughtException', error => state.uncaught.push(String(error.stack)))
process.on('unhandledRejection', error => state.uncaught.push(String(error)))

const server = net.createServer(socket => {
  const ws = WebSocketStream.server({ extensions, handshakeTimeout: PATIENCE, closeTimeout: PATIENCE })
  state.accepted++
  if (values.leak) leaked.push(ws)
  ws.on('close', ({ code, wasClean }) => {
    state.closes++
    if (wasClean && code === 1000 && ws.url !== '') counts[kindOf(ws)].clean++
  })
  ws.on('open', () => serve(ws).catch(() => {}))
  if (state.accepted % 2) ws.attach(socket)
  else socket.pipe(ws).pipe(socket)
})

const kindOf = ws => new URL(ws.url).pathname.slice(1)

async function serve(ws) {
  const kind = kindOf(ws)
  const count = counts[kind]
  count.opened++
  if (kind === 'broken') {
    ws.on('message', () => {})
  } else if (kind === 'text') {
    ws.on('message', message => {
      received(message, count)
      ws.text(message)
    })
  } else if (kind === 'streamed') {
    for await (const message of ws.streams) await echoPieces(ws, message, count)
  } else {
    for await (const message of ws.messages) {
      received(message, count)
      if (!ws.messages.write(message)) await once(ws.messages, 'drain')
    }
  }
}

function received(message, count) {
  const size = sizeOf(message)
  const sum = sumOf(message)
  count.didReceive(size, sum)
  count.didSend(size, sum)
}

async function echoPieces(ws, message, count) {
  const writer = ws.createMessage(message.kind)
  let size = 0
  let sum = 0
  for await (const piece of message) {
    size += piece.length
    sum = crc32(piece, sum)
    if (!writer.write(piece)) await once(writer, 'drain')
  }
  count.didReceive(size, sum)
  count.didSend(size, sum)
  writer.end()
}

// The client

/** A process that dials, and its replies to commands. */
function startClient(port) {
  const script = fileURLToPath(new URL('client.js', import.meta.url))
  const child = fork(script, [String(port)], { execArgv: ['--expose-gc'] })
  const waiting = new Map()
  child.on('message', ([what, answer]) => {
    waiting.get(what)?.resolve(answer)
    waiting.delete(what)
  })
  child.on('exit', status => {
    for (const { reject } of waiting.values()) reject(new Error(`the client ended with ${status}`))
  })
  const hear = what => new Promise((resolve, reject) => waiting.set(what, { resolve, reject }))
  const ask = (what, order) => {
    const answer = hear(what)
    child.send(order)
    return answer
  }
  return { child, ready: hear('ready'), ask }
}

// What is measured

/** Bytes in use in each process, by kind of memory. */
async function sample(client, started) {
  const far = await client.ask('size', ['size'])
  const heap = await heapInUse()
  const rss = process.memoryUsage.rss()
  return { at: (Date.now() - started) / 1000, open: far.open, heap, rss, farHeap: far.heap, farRss: far.rss }
}

/** Growth in bytes a second, by a least-squares fit of the samples, and its standard error. */
function slope(samples, name) {
  const n = samples.length
  const meanAt = samples.reduce((sum, { at }) => sum + at, 0) / n
  const mean = samples.reduce((sum, each) => sum + each[name], 0) / n
  const spread = samples.reduce((sum, { at }) => sum + (at - meanAt) ** 2, 0)
  const perSecond = samples.reduce((sum, each) => sum + (each.at - meanAt) * (each[name] - mean), 0) / spread
  const rest = samples.reduce((sum, each) => sum + (each[name] - mean - perSecond * (each.at - meanAt)) ** 2, 0)
  return { mean, perSecond, error: Math.sqrt(rest / (n - 2) / spread) }
}

const failures = []

function check(holds, text) {
  console.log(`${holds ? 'ok' : 'NOT OK'} - ${text}`)
  if (!holds) failures.push(text)
}

const mib = bytes => `${(bytes / MIB).toFixed(1)} MiB`

function checkFlat(samples, name, what, { bytes, part }) {
  const span = samples.at(-1).at - samples[0].at
  const { mean, perSecond, error } = slope(samples, name)
  const [grown, unsure] = [perSecond * span, 2 * error * span]
  const allowed = Math.max(bytes, part * mean)
  const detail = `by its slope ${mib(grown)} ± ${mib(unsure)} more in ${span.toFixed(0)} s (at most ${mib(allowed)})`
  // messages in flight come and go: only significant growth counts, and a short run says if it cannot tell
  const doubt = unsure > allowed ? '; too short a run to be sure of it' : ''
  check(grown - unsure <= allowed, `${what}: ${mib(mean)}, ${detail}${doubt}`)
}

function checkLeft(side, left) {
  const allowed = LEFT.bytes + LEFT.each * state.accepted
  check(left <= allowed, `left at the ${side} when all is over: ${mib(left)} (at most ${mib(allowed)})`)
}

function checkCounts(theirs) {
  for (const kind of WHOLE) {
    const near = counts[kind]
    const far = theirs[kind]
    const pairs = [
      ['connections', far.opened, near.opened],
      ['clean ends', far.opened, far.clean],
      ['clean ends at the server', far.clean, near.clean],
      ['messages there', far.sent, near.received],
      ['messages back', near.sent, far.received],
      ['bytes there', far.bytesSent, near.bytesReceived],
      ['bytes back', near.bytesSent, far.bytesReceived],
      ['checksum there', far.sumSent, near.sumReceived],
      ['checksum back', near.sumSent, far.sumReceived]
    ]
    const wrong = pairs.filter(([, a, b]) => a !== b).map(([name, a, b]) => `${name} ${a} and ${b}`)
    const detail =
      wrong.length === 0
        ? `${far.opened} connections, ${far.sent} messages each way, ${mib(far.bytesSent)}`
        : wrong.join(', ')
    check(far.opened > 0 && wrong.length === 0, `${kind}: ${detail}`)
  }
  check(theirs.broken.opened > 0, `broken: ${theirs.broken.opened} connections`)
}

// All of it

try {
  await run()
} catch (error) {
  // listeners for uncaught errors exist only to count
  console.error(error)
  process.exit(1)
}

async function run() {
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 })
  await once(server, 'listening')
  const client = startClient(server.address().port)
  await client.ready

  await client.ask('held', ['hold', Math.min(connections, 60), 1])
  while (state.closes < state.accepted) await rest(50)
  const before = { heap: await heapInUse(), far: (await client.ask('size', ['size'])).heap }

  const started = Date.now()
  const samples = []
  let held = null
  const holding = client.ask('held', ['hold', connections, seconds]).then(answer => (held = answer))
  holding.catch(() => {})
  const pause = Math.min(5000, Math.max(250, seconds * 25))
  while (held === null && client.child.exitCode === null) {
    const now = await sample(client, started)
    if (now.at < seconds) samples.push(now)
    const messages = Object.values(counts).reduce((sum, { received }) => sum + received, 0)
    console.log(
      `${now.at.toFixed(0).padStart(5)} s  ${now.open} open, ${state.accepted} so far, ${messages} messages; ` +
        `server heap ${mib(now.heap)} rss ${mib(now.rss)}, client heap ${mib(now.farHeap)} rss ${mib(now.farRss)}`
    )
    await rest(pause)
  }
  await holding

  // the server's timeouts end broken connections
  for (let i = 0; i < 300 && state.closes < state.accepted; i++) await rest(100)
  const after = { heap: await heapInUse(), far: (await client.ask('size', ['size'])).heap }

  console.log('')
  checkCounts(held.counts)
  check(held.faults.length === 0, `the client met no fault${held.faults.map(fault => `\n    ${fault}`).join('')}`)
  check(
    state.closes === state.accepted,
    `${state.accepted} connections were accepted, ${state.closes} close events came`
  )
  check(
    state.uncaught.length === 0,
    `nothing was thrown where nobody could catch it${state.uncaught.slice(0, 3).join('\n')}`
  )
  const measured = samples.filter(({ at }) => at >= seconds * WARM)
  if (measured.length >= 5) {
    checkFlat(measured, 'heap', 'heap of the server', TOLERANCE.heap)
    checkFlat(measured, 'farHeap', 'heap of the client', TOLERANCE.heap)
    checkFlat(measured, 'rss', 'size of the server', TOLERANCE.rss)
    checkFlat(measured, 'farRss', 'size of the client', TOLERANCE.rss)
  } else {
    // on a busy machine a short run has few samples; the memory left in the end tells more then
    check(seconds < 60, `${measured.length} samples, too few to tell a slope`)
  }
  checkLeft('server', after.heap - before.heap)
  checkLeft('client', after.far - before.far)
  const timers = process.getActiveResourcesInfo().filter(name => name === 'Timeout').length
  check(timers === 0, `${timers} timers are left`)

  client.child.send(['end'])
  await once(client.child, 'exit')
  server.close()
  console.log(failures.length === 0 ? `\nheld for ${seconds} s` : `\n${failures.length} of these did not hold`)
  process.exitCode = failures.length === 0 ? 0 : 1
}
