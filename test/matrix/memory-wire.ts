// A wire in memory like `stream.duplexPair`: each chunk reaches the other end as the same object that was written, and its
// write calls back when the other end asks for more. In object mode chunks arrive as plain Uint8Arrays on the same memory.

import { Duplex } from 'node:stream'

const failure = (code: string): Error => Object.assign(new Error(code), { code })

export class MemoryEnd extends Duplex {
  private other!: MemoryEnd
  private waiting: ((error?: Error) => void) | null = null

  static pair(objectMode = false): [MemoryEnd, MemoryEnd] {
    const options = objectMode ? { objectMode } : {}
    const ends: [MemoryEnd, MemoryEnd] = [new MemoryEnd(options), new MemoryEnd(options)]
    ends[0].other = ends[1]
    ends[1].other = ends[0]
    return ends
  }

  override _read(): void {
    this.other.wrote()
  }

  override _write(chunk: Buffer, _encoding: string, callback: (error?: Error) => void): void {
    const { other, writableObjectMode } = this
    if (other.destroyed) {
      callback(failure('EPIPE'))
    } else if (chunk.length === 0) {
      process.nextTick(callback)
    } else {
      this.waiting = callback
      other.push(writableObjectMode ? new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength) : chunk)
    }
  }

  override _final(callback: () => void): void {
    if (!this.other.destroyed && !this.other.readableEnded) this.other.push(null)
    callback()
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    const { other } = this
    this.wrote(failure('EPIPE'))
    setImmediate(() => {
      other.wrote(failure('EPIPE'))
      if (other.destroyed) return
      if (error !== null || !this.writableFinished) other.destroy(error === null ? undefined : failure('ECONNRESET'))
    })
    callback(error)
  }

  private wrote(error?: Error): void {
    const { waiting } = this
    this.waiting = null
    waiting?.(error)
  }
}
