// What passes for a socket in process: what is written is counted and forgotten, what is emitted is the peer's bytes.
// Every contestant of a benchmark gets the same, so that none is charged for the kernel.

import { EventEmitter } from 'node:events'
import { Duplex } from 'node:stream'

/** A stream as net.Socket is one, down to the handle: a write costs what Node's streams make it cost. */
export class FakeStream extends Duplex {
  // as a socket that is not full, it has done with what is written before the write returns
  _handle = {}
  bytes = 0
  writes = 0
  kept = null

  #take(chunk) {
    this.bytes += chunk.length
    if (this.kept) this.kept.push(Buffer.from(chunk))
  }
  _write(chunk, _encoding, done) {
    this.writes++
    this.#take(chunk)
    done()
  }
  _writev(list, done) {
    this.writes++
    for (const { chunk } of list) this.#take(chunk)
    done()
  }
  _read() {}
  /** Bytes from the peer. */
  arrive(chunk) {
    this.push(chunk)
  }
  setNoDelay() {
    return this
  }
  setKeepAlive() {
    return this
  }
  setTimeout() {
    return this
  }
}

/** The least that passes for a socket: a write costs nothing at all, which flatters whoever writes often. */
export class FakeSocket extends EventEmitter {
  bytes = 0
  writes = 0
  paused = false
  readable = true
  writable = true
  destroyed = false
  writableLength = 0
  writableHighWaterMark = 65536
  writableNeedDrain = false
  readableFlowing = null
  /** While this is an array, what is written is kept as well: for handshakes and for checking. */
  kept = null

  write(chunk, encoding, done) {
    if (typeof encoding === 'function') done = encoding
    this.writes++
    if (typeof chunk === 'string') chunk = Buffer.from(chunk, typeof encoding === 'string' ? encoding : 'utf8')
    this.bytes += chunk.length
    if (this.kept) this.kept.push(Buffer.from(chunk))
    if (done) process.nextTick(done)
    return true
  }
  arrive(chunk) {
    this.emit('data', chunk)
  }
  end(chunk) {
    if (chunk) this.write(chunk)
    this.writable = false
    return this
  }
  destroy() {
    this.destroyed = true
    return this
  }
  pause() {
    this.paused = true
    this.readableFlowing = false
    return this
  }
  resume() {
    this.readableFlowing = true
    if (this.paused) {
      this.paused = false
      this.emit('resumed')
    }
    return this
  }
  isPaused() {
    return this.paused
  }
  cork() {}
  uncork() {}
  setNoDelay() {
    return this
  }
  setKeepAlive() {
    return this
  }
  setTimeout() {
    return this
  }
}
