// Makes the tables of compression.md, after `npm run build`: node docs/compression.js [path of the build]
//
// Each row is measured in a process of its own: so many connections that have received and sent messages, and are then left
// alone. Messages go through both sides of the extension, without frames, sockets or streams.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath, pathToFileURL } from 'node:url'

const CONNECTIONS = 500
/** Messages of each size on each connection whose memory is measured; 48 KiB, so that any window is full. */
const MESSAGES = { 125: 80, 1024: 40 }
/** Messages of one connection whose ratio and time are measured. */
const LONG = 4000
/** Longer than it takes until an idle connection gives its memory back. */
const IDLE = 11_000

const build = process.argv[2] ?? fileURLToPath(new URL('../dist', import.meta.url))

/** What a server and its client send each other: the same fields again and again, and values that differ. */
function message(size, id) {
  let text = ''
  for (; text.length < size; id++) {
    const value = Math.sin(id).toFixed(4)
    text += `{"id":${id},"type":"update","user":"u${(id * 7919) % 1000}","value":${value},"done":${id % 3 === 0}},`
  }
  return Buffer.from(text.slice(0, size))
}

const pass = (session, direction, data, rsv1) =>
  new Promise((resolve, reject) => {
    const message = { rsv1, rsv2: false, rsv3: false, opcode: 2, data }
    session[direction](message, (error, result) => (error ? reject(error) : resolve(result)))
  })

/** Bytes that are alive, without zlib's own; and what the process has. */
function memory() {
  for (let i = 0; i < 4; i++) gc()
  const { heapUsed, external, rss } = process.memoryUsage()
  return { held: heapUsed + external, rss }
}

async function ours(options) {
  const { permessageDeflate } = await import(pathToFileURL(`${build}/extensions/permessage-deflate.js`))
  const both = { ...options, threshold: 0 }
  const make = () => {
    const client = permessageDeflate({ ...both, peerWindowBits: 15 }).createClientSession()
    const server = permessageDeflate(both).createServerSession([client.generateOffer()])
    if (!client.activate(server.generateResponse())) throw new Error('not agreed')
    return { client, server }
  }
  return {
    make,
    async send({ client }, data) {
      const { data: sent, rsv1 } = await pass(client, 'processOutgoingMessage', data, false)
      return { sent, rsv1 }
    },
    async echo({ server }, { sent, rsv1 }) {
      const { data } = await pass(server, 'processIncomingMessage', sent, rsv1)
      return (await pass(server, 'processOutgoingMessage', data, false)).data.length
    },
    drop: pair => pair.client.close()
  }
}

async function ws({ windowBits, memLevel, level }) {
  const { PerMessageDeflate } = await import('ws')
  const call = (work, data) =>
    new Promise((resolve, reject) => work(data, true, (error, result) => (error ? reject(error) : resolve(result))))
  const side = isServer => {
    const one = new PerMessageDeflate({ isServer, maxPayload: 2 ** 26, zlibDeflateOptions: { memLevel, level } })
    one.params = { server_max_window_bits: windowBits, client_max_window_bits: windowBits }
    return one
  }
  return {
    make: () => ({ client: side(false), server: side(true) }),
    send: async ({ client }, data) => ({ sent: await call(client.compress.bind(client), data) }),
    async echo({ server }, { sent }) {
      const data = await call(server.decompress.bind(server), sent)
      return (await call(server.compress.bind(server), data)).length
    },
    drop: pair => pair.client.cleanup()
  }
}

async function converse(subject, pair, size, count, from) {
  const sent = []
  for (let i = 0; i < count; i++) sent.push(await subject.send(pair, message(size, from + i * 11)))
  let bytes = 0
  const before = process.cpuUsage()
  for (const each of sent) bytes += await subject.echo(pair, each)
  const { user, system } = process.cpuUsage(before)
  return { ratio: bytes / (size * count), cpu: (user + system) / count }
}

async function measure({ library, ...options }) {
  const subject = await (library === 'ws' ? ws : ours)(options)
  const result = {}
  for (const size of [125, 1024]) {
    const pair = subject.make()
    await converse(subject, pair, size, LONG, 0)
    result[size] = await converse(subject, pair, size, LONG, 1e6)
    subject.drop(pair)
    subject.drop({ client: pair.server })
  }
  const connections = []
  let before
  for (let n = 0; n < CONNECTIONS * 1.2; n++) {
    // the first ones find memory that is charged to nobody
    if (n === CONNECTIONS * 0.2) before = memory()
    const pair = subject.make()
    for (const [size, count] of Object.entries(MESSAGES)) await converse(subject, pair, +size, count, n)
    subject.drop(pair)
    connections.push(pair.server)
  }
  const active = memory()
  await sleep(IDLE)
  const idle = memory()
  result.active = (active.rss - before.rss) / CONNECTIONS
  // ws keeps what it has; ours has no zlib by then, whose memory goes back to the process, though seldom to the system
  result.idle = library === 'ws' ? (idle.rss - before.rss) / CONNECTIONS : (idle.held - before.held) / CONNECTIONS
  for (const server of connections) subject.drop({ client: server })
  return result
}

if (process.send !== undefined) {
  process.once('message', async options => {
    process.send(await measure(options))
    process.disconnect()
    process.exit()
  })
} else {
  const rows = [
    { windowBits: 15, memLevel: 8, level: 6, library: 'ws' },
    { windowBits: 15, memLevel: 8, level: 6 },
    { windowBits: 13, memLevel: 6, level: 6 },
    { windowBits: 12, memLevel: 5, level: 6 },
    { windowBits: 11, memLevel: 4, level: 6 },
    { windowBits: 10, memLevel: 3, level: 6 },
    { windowBits: 9, memLevel: 1, level: 6 },
    { windowBits: 12, memLevel: 5, level: 1 },
    { windowBits: 12, memLevel: 5, level: 3 },
    { windowBits: 12, memLevel: 5, level: 9 },
    { windowBits: 15, memLevel: 8, level: 6, contextTakeover: false, peerContextTakeover: false },
    { windowBits: 12, memLevel: 5, level: 6, contextTakeover: false, peerContextTakeover: false }
  ]
  console.log('| | windowBits | memLevel | level | 125 B | 1 KiB | µs 125 B | µs 1 KiB | KiB active | KiB idle |')
  console.log('|---|---|---|---|---|---|---|---|---|---|')
  for (const row of rows) {
    const options = { ...row, ...(row.library ? {} : { peerWindowBits: row.windowBits }) }
    const child = fork(fileURLToPath(import.meta.url), [build], { execArgv: ['--expose-gc'] })
    child.send(options)
    const [result] = await once(child, 'message')
    const name = row.library ?? (row.contextTakeover === false ? 'no context' : 'ours')
    const ratios = [125, 1024].map(size => `${Math.round(result[size].ratio * 100)} %`)
    const times = [125, 1024].map(size => result[size].cpu.toFixed(1))
    const sizes = [result.active, result.idle].map(size => (size / 1024).toFixed(1))
    const cells = [name, row.windowBits, row.memLevel, row.level, ...ratios, ...times, ...sizes]
    console.log(`| ${cells.join(' | ')} |`)
  }
}
