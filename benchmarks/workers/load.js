// The other side of a server under test: sockets, or streams of one HTTP/2 session, and nothing else. Frames are built beforehand, answers
// are counted by their length, and the first and the last window of every connection is compared byte by byte.

import net from 'node:net'
import tls from 'node:tls'
import { control } from '../control.js'
import { acceptFor, closeFrame, frameSize, frames, KEY, opcodeOf, payloads, upgradeRequest } from '../wire.js'
import { closeSession, openSession, openStream } from './http2-dial.js'

const REQUEST = upgradeRequest()
const ACCEPT = acceptFor(KEY)
const CLOSE = closeFrame(true)

/** One connection, upgraded: resolves with what reads it. `onBytes(buffer, length)` gets what follows the head. */
function dial(port, onBytes, size = 65536, secure = false) {
  return new Promise((resolve, reject) => {
    let head = ''
    const buffer = shared(size)
    const where = { port, host: '127.0.0.1', noDelay: true }
    const take = (bytes, length) => {
      if (head === null) {
        onBytes(bytes, length)
        return true
      }
      head += bytes.latin1Slice(0, length)
      const end = head.indexOf('\r\n\r\n')
      if (end >= 0) {
        if (!/^HTTP\/1\.1 101 /.test(head) || !head.includes(ACCEPT)) reject(new Error(`not upgraded: ${head}`))
        const rest = head.slice(end + 4)
        head = null
        if (rest) onBytes(Buffer.from(rest, 'latin1'), rest.length)
        resolve(socket)
      }
      return true
    }
    const socket = secure
      ? tls.connect({ ...where, rejectUnauthorized: false }).on('data', chunk => take(chunk, chunk.length))
      : net.connect({ ...where, onread: { buffer, callback: length => take(buffer, length) } })
    socket.on(secure ? 'secureConnect' : 'connect', () => socket.write(REQUEST))
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('closed before the upgrade')))
  })
}

/** Sockets read one after another, and what they read is used up at once: they share a buffer. */
const buffers = new Map()
function shared(size) {
  if (!buffers.has(size)) buffers.set(size, Buffer.allocUnsafeSlow(size))
  return buffers.get(size)
}

class Connection {
  /** What answers come to in bytes, and in whole messages. */
  received = 0
  done = 0
  sent = 0
  kept = null
  onDrained = null

  constructor(run) {
    this.run = run
  }

  async open(port) {
    const { session, size, secure } = this.run
    const read = (buffer, length) => this.read(buffer, length)
    this.socket = session
      ? await openStream(session, read)
      : await dial(port, read, size >= 65536 ? 2 ** 20 : 65536, secure)
  }

  /** Sends the whole window, and keeps what comes back to compare it. */
  check() {
    this.kept = []
    this.send(this.run.window)
    return new Promise(resolve => {
      this.onDrained = resolve
    }).then(() => {
      const got = Buffer.concat(this.kept)
      this.kept = null
      if (!got.equals(this.run.answers)) throw new Error('the answers are not an echo')
    })
  }

  send(count) {
    const { run } = this
    const from = this.sent % run.window
    this.sent += count
    if (this.times) this.started = performance.now()
    const first = Math.min(count, run.window - from)
    this.socket.write(run.questions.subarray(from * run.questionSize, (from + first) * run.questionSize))
    if (first < count) this.socket.write(run.questions.subarray(0, (count - first) * run.questionSize))
  }

  read(buffer, length) {
    const { run } = this
    this.received += length
    if (this.kept) this.kept.push(Buffer.from(buffer.subarray(0, length)))
    const done = Math.floor(this.received / run.answerSize)
    const fresh = done - this.done
    if (fresh === 0) return
    this.done = done
    run.messages += fresh
    if (this.times) this.times.push(performance.now() - this.started)
    if (run.going) {
      if (run.whole) {
        if (done === this.sent) this.send(run.window)
      } else this.send(fresh)
    } else if (done === this.sent && this.onDrained) {
      this.onDrained()
      this.onDrained = null
    }
  }

  drained() {
    if (this.done === this.sent) return
    return new Promise(resolve => {
      this.onDrained = resolve
    })
  }

  close() {
    return new Promise(resolve => {
      this.socket.removeAllListeners('error').on('error', () => {})
      this.socket.on('close', resolve)
      this.socket.write(CLOSE)
      // hypercorn leaves streams open behind its Close
      setTimeout(() => this.socket.destroy(), this.run.session ? 100 : 1000).unref()
      if (this.run.raw) this.socket.end()
      // The server's close frame comes as bytes to `read`; it ends the connection, and so do we.
      this.received = Number.NEGATIVE_INFINITY
      this.socket.on('end', () => this.socket.end())
    })
  }
}

let run
let connections = []
let held = []

/** Runs `make` `count` times, a hundred at a time. */
async function many(count, make) {
  const made = []
  while (made.length < count) {
    made.push(...(await Promise.all(Array.from({ length: Math.min(100, count - made.length) }, make))))
  }
  return made
}

control({
  /**
   * Opens `count` connections with `window` messages in flight on each and checks a window of answers. `whole` sends the
   * next window when the last is answered; else each answer makes room for one message more. `http2` makes them streams of
   * one session; `raw` expects the very bytes that were sent, mask and all.
   */
  async open({ port, count, window, kind, size, whole = false, secure = false, http2 = false, raw = false }) {
    const list = payloads(kind, size, window)
    run = {
      window,
      size,
      whole,
      secure,
      raw,
      session: http2 ? await openSession(port, secure) : undefined,
      questions: frames(list, opcodeOf(kind), true),
      answers: frames(list, opcodeOf(kind), raw),
      questionSize: frameSize(size, true),
      answerSize: frameSize(size, raw),
      messages: 0,
      going: false
    }
    connections = Array.from({ length: count }, () => new Connection(run))
    for (let at = 0; at < count; at += 100)
      await Promise.all(connections.slice(at, at + 100).map(each => each.open(port)))
    await Promise.all(connections.map(each => each.check()))
  },

  /** Lets it run; `times` keeps how long each answer took. */
  go({ times = false }) {
    run.going = true
    for (const each of connections) {
      if (times) each.times = []
      each.send(run.window)
    }
  },

  mark: () => ({ messages: run.messages, at: performance.now() }),

  /** Stops, waits for what is in flight, checks a last window, and closes. */
  async finish() {
    run.going = false
    await Promise.all(connections.map(each => each.drained()))
    const times = Float64Array.from(connections.flatMap(each => each.times ?? [])).sort()
    for (const each of connections) each.times = undefined
    await Promise.all(
      connections.map(each => {
        // In step with the window again, so that the last answers can be compared whole.
        const rest = (run.window - (each.sent % run.window)) % run.window
        if (!rest) return each.check()
        each.send(rest)
        return each.drained().then(() => each.check())
      })
    )
    for (const each of connections) {
      if (each.received !== each.sent * run.answerSize) throw new Error('more bytes came back than were asked for')
    }
    await Promise.all(connections.map(each => each.close()))
    connections = []
    if (run.session) await closeSession(run.session)
    const place = q => times[Math.min(times.length - 1, Math.floor(times.length * q))]
    return times.length ? { p50: place(0.5), p99: place(0.99) } : {}
  },

  /** Opens `count` idle connections and holds them. */
  async hold({ port, count }) {
    held.push(...(await many(count, () => dial(port, () => {}))))
    for (const socket of held) socket.removeAllListeners('error').on('error', () => {})
  },

  async release() {
    const gone = held.map(socket => new Promise(resolve => socket.once('close', resolve)))
    for (const socket of held) socket.destroy()
    held = []
    await Promise.all(gone)
  },

  /** Upgrades for `ms`, `width` at a time; each is closed in order, or reset at once. */
  async upgrade({ port, ms, width, close }) {
    const until = performance.now() + ms
    let count = 0
    const one = async () => {
      while (performance.now() < until) {
        let over
        const closed = new Promise(resolve => {
          over = resolve
        })
        let answered = false
        const socket = await dial(port, () => {
          answered = true
        })
        socket.removeAllListeners('error').on('error', () => {})
        socket.on('close', over)
        if (close) {
          socket.on('end', () => socket.end())
          socket.write(CLOSE)
        } else {
          answered = true
          socket.resetAndDestroy()
        }
        await closed
        if (!answered) throw new Error('no close frame came back')
        count++
      }
    }
    const began = performance.now()
    await Promise.all(Array.from({ length: width }, one))
    return { count, seconds: (performance.now() - began) / 1000 }
  }
})
