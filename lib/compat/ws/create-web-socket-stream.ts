// Makes a Duplex of the messages of a WebSocket: each write is a message, each message is a chunk.

import { Duplex, type DuplexOptions } from 'node:stream'
import type { RawData } from './events.js'
import type { WebSocket } from './web-socket.js'

const CONNECTING = 0
const CLOSED = 3

/**
 * Messages as a Duplex: with `readableObjectMode` text messages are strings, otherwise bytes. `end()` closes the connection, and destroying
 * the stream terminates it.
 */
export function createWebSocketStream(ws: WebSocket, options: DuplexOptions = {}): Duplex {
  return new WebSocketDuplex(ws, options)
}

class WebSocketDuplex extends Duplex {
  // an error has closed the connection, and the Close frame must still be sent
  private hasFailed = false

  constructor(
    private readonly ws: WebSocket,
    options: DuplexOptions
  ) {
    super({ ...options, objectMode: false, writableObjectMode: false })
    // an own property, since programs replace it by a function that calls it
    this._final = callback => this.endMessages(callback)
    ws.on('message', (data, isBinary) => this.pushMessage(data, isBinary))
    ws.once('error', error => {
      this.hasFailed = true
      if (!this.destroyed) this.destroy(error)
    })
    ws.once('close', () => this.push(null))
    this.on('end', () => this.writableFinished && this.destroy())
  }

  private pushMessage(data: RawData, isBinary: boolean): void {
    if (!this.push(!isBinary && this.readableObjectMode ? data.toString() : data)) this.ws.pause()
  }

  override _read(): void {
    if (this.ws.isPaused) this.ws.resume()
  }

  override _write(chunk: Buffer, encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    if (this.ws.readyState === CONNECTING) this.ws.once('open', () => this._write(chunk, encoding, callback))
    else this.ws.send(chunk, callback)
  }

  private endMessages(callback: () => void): void {
    const { ws } = this
    if (ws.readyState === CONNECTING) {
      ws.once('open', () => this.endMessages(callback))
      return
    }
    if (ws.readyState === CLOSED) {
      callback()
      return
    }
    ws.once('close', () => callback())
    ws.close()
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    const { ws } = this
    if (ws.readyState === CLOSED) {
      callback(error)
      return
    }
    let reason = error
    // closing before the connection is open emits an error
    ws.once('error', failure => (reason ??= failure))
    ws.once('close', () => callback(reason))
    if (ws.isPaused) ws.resume()
    if (!this.hasFailed) ws.terminate()
  }
}
