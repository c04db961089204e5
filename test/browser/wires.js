// Wires that a page can make by itself: a pair of streams in memory, and a MessagePort as a stream.

import { Duplex } from 'readable-stream'

/** What is written at one end is read at the other; a write is done when the reader has room. */
class PairEnd extends Duplex {
  other = null
  pending = null

  _write(chunk, _encoding, callback) {
    if (this.other.push(chunk)) callback()
    else this.pending = callback
  }

  _read() {
    const { pending } = this.other
    this.other.pending = null
    pending?.()
  }

  _final(callback) {
    this.other.push(null)
    callback()
  }

  _destroy(error, callback) {
    const { other } = this
    if (!other.destroyed) other.destroy()
    callback(error)
  }
}

export function pair() {
  const ends = [new PairEnd(), new PairEnd()]
  ends[0].other = ends[1]
  ends[1].other = ends[0]
  return ends
}

/** A port as a stream: sends bytes unchanged, and the words `taken`, `end` and `gone` between them. */
export class PortStream extends Duplex {
  #port
  #written = null
  #owesWord = false

  /** @param port - a MessagePort whose other end is also such a stream */
  constructor(port) {
    super()
    this.#port = port
    port.onmessage = ({ data }) => this.#receive(data)
  }

  #receive(data) {
    if (data === 'end') {
      this.push(null)
    } else if (data === 'taken') {
      const written = this.#written
      this.#written = null
      written()
    } else if (data === 'gone') {
      this.destroy()
    } else if (this.push(data)) {
      this.#port.postMessage('taken')
    } else {
      this.#owesWord = true
    }
  }

  _read() {
    if (this.#owesWord) this.#port.postMessage('taken')
    this.#owesWord = false
  }

  _write(chunk, _encoding, callback) {
    this.#written = callback
    // a copy, since posting transfers the whole memory of which the chunk is a view
    const bytes = new Uint8Array(chunk)
    this.#port.postMessage(bytes, [bytes.buffer])
  }

  _final(callback) {
    this.#port.postMessage('end')
    callback()
  }

  _destroy(error, callback) {
    this.#port.postMessage('gone')
    this.#port.close()
    callback(error)
  }
}

export function ports() {
  const { port1, port2 } = new MessageChannel()
  return [new PortStream(port1), new PortStream(port2)]
}
