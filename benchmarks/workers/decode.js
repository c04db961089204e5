// Decoding in process, one contestant for each process, so that none is compiled with another's types in mind.
// Chunks of 64 KiB go in as a socket hands them out, one callback each; messages come out and are counted.

import { control, cpuTime } from '../control.js'
import { FakeSocket } from '../fake-socket.js'
import { chunked, frames, opcodeOf, payloads, upgradeRequest, upgradeResponse } from '../wire.js'

const [contestant] = process.argv.slice(2)

/** What has arrived. The sums make a message that is cut short, swapped or left out show. */
const seen = { messages: 0, bytes: 0, sum: 0, check: null }

function onText(text) {
  const length = text.length
  seen.messages++
  seen.bytes += length
  seen.sum += text.charCodeAt(0) + 3 * text.charCodeAt(length - 1)
  if (seen.check !== null) seen.check(text)
}
function onBytes(bytes) {
  const length = bytes.length
  seen.messages++
  seen.bytes += length
  seen.sum += bytes[0] + 3 * bytes[length - 1]
  if (seen.check !== null) seen.check(bytes)
}
function onData(data) {
  if (typeof data === 'string') onText(data)
  else onBytes(data)
}

/** Each gives `{ feed(chunk): boolean, drained(callback) }`: false from `feed` asks to wait for `drained`. */
const contestants = {
  async ws(role) {
    const { Receiver } = await import('ws')
    const receiver = new Receiver({ isServer: role === 'server', maxPayload: 2 ** 27 })
    receiver.on('message', (data, isBinary) => (isBinary ? onBytes(data) : onText(data.toString())))
    receiver.on('error', fatal)
    return {
      feed: chunk => receiver.write(chunk),
      drained: callback => receiver.once('drain', callback)
    }
  },

  async 'ours by write'(role) {
    const ws = await subject(role)
    ws.on('data', head => {
      if (role === 'client' && ws.readyState === 'connecting') ws.write(upgradeResponse(head.toString('latin1')))
    })
    if (role === 'server') ws.write(upgradeRequest())
    await ws.opened
    return {
      feed: chunk => ws.write(chunk),
      drained: callback => ws.once('drain', callback)
    }
  },

  async 'ours by attach'(role) {
    const ws = await subject(role)
    const socket = new FakeSocket()
    socket.kept = []
    ws.attach(socket)
    if (role === 'server') socket.emit('data', upgradeRequest())
    else {
      for (let i = 0; !socket.kept.length && i < 100; i++) await new Promise(setImmediate)
      socket.emit('data', upgradeResponse(Buffer.concat(socket.kept).toString('latin1')))
    }
    await ws.opened
    socket.kept = null
    return {
      feed(chunk) {
        socket.emit('data', chunk)
        return !socket.paused
      },
      drained: callback => socket.once('resumed', callback)
    }
  },

  async 'websocket-driver'(role) {
    const { default: driver } = await import('websocket-driver')
    if (role === 'client') return null
    const server = driver.server({ maxLength: 2 ** 27 })
    server.on('connect', () => server.start())
    server.messages.on('data', onData)
    server.on('error', fatal)
    server.io.on('data', () => {})
    server.io.write(upgradeRequest())
    return { feed: chunk => server.io.write(chunk), drained: callback => server.io.once('drain', callback) }
  }
}
contestants['ws again'] = contestants.ws

async function subject(role) {
  const { default: library } = await import('../subject.js')
  const options = { maxMessageSize: 2 ** 27, maxFrameSize: 2 ** 27 }
  const { WebSocketStream } = library
  const ws = role === 'server' ? WebSocketStream.server(options) : WebSocketStream.client('ws://127.0.0.1/', options)
  ws.on('message', onData)
  ws.on('error', fatal)
  return ws
}

function fatal(error) {
  process.stderr.write(`${contestant}: ${error.stack}\n`)
  process.exit(1)
}

let target
let pristine
let chunks
let expected

/** `{ role, kind, size, total }`: about `total` bytes of frames, the same for everybody. */
async function prepare({ role, kind, size, total }) {
  target = await contestants[contestant](role)
  if (!target) return { skip: true }
  const count = Math.max(1, Math.round(total / (size + 6)))
  const different = payloads(kind, size, Math.max(3, Math.min(1000, 2 ** 20 / size)))
  const list = Array.from({ length: count }, (_, i) => different[i % different.length])
  pristine = chunked(frames(list, opcodeOf(kind), role === 'server'))
  chunks = pristine.map(chunk => Buffer.allocUnsafeSlow(chunk.length))
  const values = kind === 'binary' ? different : different.map(bytes => bytes.toString())
  const before = { messages: 0, bytes: 0, sum: 0 }
  for (let i = 0; i < count; i++) {
    const value = values[i % values.length]
    const [first, last] =
      typeof value === 'string'
        ? [value.charCodeAt(0), value.charCodeAt(value.length - 1)]
        : [value[0], value[size - 1]]
    before.messages++
    before.bytes += value.length
    before.sum += first + 3 * last
  }
  expected = before
  let place = 0
  seen.check = message => {
    const value = values[place++ % values.length]
    if (typeof value === 'string' ? value !== message : !value.equals(message)) {
      throw new Error(`${contestant}: message ${place - 1} is not what was sent`)
    }
  }
  await pass()
  seen.check = null
  return { messages: count }
}

/** Every chunk once, each a fresh copy (a decoder may unmask in place), copied before the clock starts. */
async function pass() {
  for (let i = 0; i < pristine.length; i++) pristine[i].copy(chunks[i])
  seen.messages = seen.bytes = seen.sum = 0
  const taken = await new Promise(resolve => {
    let i = 0
    const start = cpuTime()
    const step = () => {
      if (i === chunks.length) return resolve(cpuTime() - start)
      const more = target.feed(chunks[i++])
      // What a chunk left for later gets its turn before the next chunk, and every sixteenth a turn of the event loop.
      if (!more) target.drained(next)
      else next()
    }
    const next = () => (i % 16 ? process.nextTick(step) : setImmediate(step))
    step()
  })
  for (let turns = 0; seen.messages < expected.messages && turns < 1000; turns++) await new Promise(setImmediate)
  for (const key of Object.keys(expected)) {
    if (seen[key] !== expected[key]) throw new Error(`${contestant}: ${key} ${seen[key]}, expected ${expected[key]}`)
  }
  return taken
}

control({
  prepare,
  /** At least `ms` of passes: messages a second and the bytes of their payloads a second. */
  async sample({ ms }) {
    let taken = 0
    let messages = 0
    while (taken < ms * 1e3) {
      taken += await pass()
      messages += expected.messages
    }
    return messages / (taken / 1e6)
  }
})
