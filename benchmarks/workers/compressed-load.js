// The other side of a server that compresses: sockets, frames that were compressed beforehand, and nothing else. Answers are counted
// by their frames. All that the first connection ever gets, and the first window of every other, is inflated and compared.

import net from 'node:net'
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib'
import { control } from '../control.js'
import { frame, upgradeRequest } from '../wire.js'

const TAIL = Buffer.from([0, 0, 0xff, 0xff])
const TEXT = 1
const CLOSE = frame(Buffer.from([0x03, 0xe8]), 8, Buffer.from([1, 2, 3, 4]))
const REQUEST = upgradeRequest().toString('latin1')
const OFFER = REQUEST.replace(
  /\r\n\r\n$/,
  '\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n'
)

/** What a server and its client send each other: the same fields again and again, and values that differ. */
function message(size, id) {
  let text = ''
  for (; text.length < size; id++) {
    const value = Math.sin(id).toFixed(4)
    text += `{"id":${id},"type":"update","user":"u${(id * 7919) % 1000}","value":${value},"done":${id % 3 === 0}},`
  }
  return Buffer.from(text.slice(0, size))
}

/** zlib refers so many bytes less far back than its window would let it. */
const LEAST_BEHIND = 262

/** Compressed messages, each of which refers to those before it, but for the first: they can be sent round and round. */
function compress(list, windowBits) {
  const frames = []
  for (let i = 0; i < list.length; i++) {
    const dictionary = Buffer.concat(list.slice(Math.max(0, i - 300), i)).subarray(LEAST_BEHIND - 2 ** windowBits)
    const options = { windowBits, finishFlush: constants.Z_SYNC_FLUSH, ...(i > 0 && { dictionary }) }
    const made = frame(deflateRawSync(list[i], options).subarray(0, -TAIL.length), TEXT, Buffer.from([7, i, i >> 8, 9]))
    made[0] |= 0x40
    frames.push(made)
  }
  return frames
}

const sequences = new Map()
/** A whole round of messages of one size for servers that ask for such a window, made once. */
function sequence(size, windowBits) {
  const key = `${size} ${windowBits}`
  if (!sequences.has(key)) {
    const list = Array.from({ length: size < 4096 ? 200 : 12 }, (_, i) => message(size, i * 10_000 + 17))
    sequences.set(key, { list, frames: compress(list, windowBits) })
  }
  return sequences.get(key)
}

let run = { size: 0, window: 1, messages: 0, going: false }
let connections = []

class Connection {
  sent = 0
  done = 0
  /** Bytes of the frame in progress that are still to come, or its header so far. */
  missing = 0
  header = Buffer.alloc(0)
  fin = false
  kept = []
  onDrained = null

  open(port) {
    return new Promise((resolve, reject) => {
      let head = ''
      this.socket = net.connect({ port, host: '127.0.0.1', noDelay: true }, () => this.socket.write(OFFER))
      this.socket.on('error', reject)
      this.socket.on('data', chunk => {
        if (head === null) return this.read(chunk)
        head += chunk.latin1Slice()
        if (!head.includes('\r\n\r\n')) return
        if (!/permessage-deflate/i.test(head)) reject(new Error(`no compression: ${head}`))
        this.bits = Number(/client_max_window_bits=(\d+)/.exec(head)?.[1] ?? 15)
        head = null
        resolve(this)
      })
    })
  }

  send(count) {
    const { frames } = sequence(run.size, this.bits)
    for (let i = 0; i < count; i++) this.socket.write(frames[this.sent++ % frames.length])
  }

  read(chunk) {
    this.kept?.push(chunk)
    let fresh = 0
    for (let at = 0; at < chunk.length; ) {
      if (this.missing === 0) at = this.readHeader(chunk, at)
      const size = Math.min(this.missing, chunk.length - at)
      at += size
      this.missing -= size
      if (this.missing === 0 && this.header === null) {
        this.header = Buffer.alloc(0)
        if (this.fin) fresh++
      }
    }
    if (fresh === 0) return
    this.done += fresh
    run.messages += fresh
    if (run.going) this.send(fresh)
    else if (this.done === this.sent) this.onDrained?.()
  }

  /** Where the payload begins, `missing` being its size and `header` null, or the end of the chunk. */
  readHeader(chunk, at) {
    const known = this.header.length
    const bytes = known > 0 ? Buffer.concat([this.header, chunk.subarray(at)]) : chunk.subarray(at)
    const short = bytes[1] & 127
    const length = bytes.length < 2 ? 14 : short < 126 ? 2 : short === 126 ? 4 : 10
    if (bytes.length < length) {
      this.header = Buffer.from(bytes)
      return chunk.length
    }
    this.missing = short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2))
    this.fin = bytes[0] >= 0x80
    this.header = null
    return at + length - known
  }

  drained() {
    if (this.done === this.sent) return
    return new Promise(resolve => {
      this.onDrained = resolve
    })
  }

  /** Compares all that was kept with what was sent. */
  check() {
    const { list } = sequence(run.size, this.bits)
    const expected = Array.from({ length: this.sent }, (_, i) => list[i % list.length])
    if (!inflate(Buffer.concat(this.kept)).equals(Buffer.concat(expected)))
      throw new Error('the answers are not an echo')
  }

  async close() {
    const { socket } = this
    const closed = new Promise(resolve => socket.on('close', resolve))
    socket.removeAllListeners('data').on('data', () => {})
    socket.removeAllListeners('error').on('error', () => {})
    socket.on('end', () => socket.end())
    socket.write(CLOSE)
    const timer = setTimeout(() => socket.destroy(), 1000)
    await closed
    clearTimeout(timer)
  }
}

/** What a run of whole messages stands for. */
function inflate(bytes) {
  const parts = []
  for (let at = 0; at < bytes.length; ) {
    const fin = bytes[at] >= 0x80
    const opcode = bytes[at] & 15
    if (opcode !== 0 && bytes[at] < 0x40 + (fin ? 0x80 : 0)) throw new Error('an answer was not compressed')
    const short = bytes[at + 1] & 127
    const head = short < 126 ? 2 : short === 126 ? 4 : 10
    const size =
      short < 126 ? short : short === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2))
    parts.push(bytes.subarray(at + head, at + head + size))
    if (fin) parts.push(TAIL)
    at += head + size
  }
  return inflateRawSync(Buffer.concat(parts), { finishFlush: constants.Z_SYNC_FLUSH })
}

async function openAll({ port, count }) {
  for (let made = 0; made < count; made += 50) {
    const some = Array.from({ length: Math.min(50, count - made) }, () => new Connection().open(port))
    connections.push(...(await Promise.all(some)))
  }
}

async function closeAll() {
  await Promise.all(connections.map(each => each.close()))
  connections = []
}

control({
  /** Opens `count` connections, and checks a window of answers on each of them. */
  async open({ port, count, window, size }) {
    run = { size, window, messages: 0, going: false }
    await openAll({ port, count })
    for (const each of connections) each.send(window)
    await Promise.all(connections.map(each => each.drained()))
    for (const each of connections) each.check()
    for (const each of connections.slice(1)) each.kept = null
    return {}
  },

  go() {
    run.going = true
    for (const each of connections) each.send(run.window)
    return {}
  },

  mark: () => ({ messages: run.messages, at: performance.now() }),

  /** Lets what is under way end, and checks all that the first connection got. */
  async finish() {
    run.going = false
    await Promise.all(connections.map(each => each.drained()))
    connections[0].check()
    await closeAll()
    return {}
  },

  /** Opens connections that have `messages` of each size echoed, one after another, and are left open. */
  async converse({ port, count, sizes, messages }) {
    await openAll({ port, count })
    for (const each of connections) each.kept = null
    for (const size of sizes) {
      run = { size, window: 1, messages: 0, going: false }
      for (const each of connections) each.sent = each.done = 0
      for (let i = 0; i < messages; i++) {
        for (const each of connections) each.send(1)
        await Promise.all(connections.map(each => each.drained()))
      }
    }
    return {}
  },

  async release() {
    await closeAll()
    return {}
  }
})
