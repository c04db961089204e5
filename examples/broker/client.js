// A member of a room over any number of connections: each resumes where the one before it ended.

import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect, HandshakeError, WebSocketError } from 'websocket-duplex'

/**
 * A Readable of `{ seq, data }`, in order, each once, with backpressure: while it is not read, nothing is read from the socket,
 * acknowledgements included.
 *
 * Emits `connected` ({ at, isLost }) for each connection, with `isLost` if the broker no longer had the messages after `position`, and
 * `disconnected` (the error or CloseInfo, and the pause in ms) after each.
 */
export class RoomClient extends Readable {
  /** The sequence number of the last message; before the first message, where the room was joined. */
  position
  #url
  #options
  #longestPause
  #ws
  #ending = new AbortController()
  #isOpen = false
  #unacknowledged = new Map()
  #name = randomUUID()
  #count = 0
  #readMore = null

  /**
   * @param url - of the room
   * @param options - `after`: where to resume; `longestPause` between two attempts: 10000 ms; and those of `connect`
   */
  constructor(url, { after, longestPause = 10_000, ...options } = {}) {
    super({ objectMode: true })
    this.position = after
    this.#url = new URL(url)
    this.#longestPause = longestPause
    this.#options = { keepalive: { interval: 30_000 }, ...options }
    this.#stay()
  }

  /**
   * Sends a message to the room. A message without an acknowledgement is sent again after a lost connection, and stored once.
   * @returns its sequence number, when the broker has stored it; when sending much, wait for that, since messages are kept until then
   */
  publish(data) {
    const id = `${this.#name}-${this.#count++}`
    const text = JSON.stringify({ id, data })
    return new Promise((resolve, reject) => {
      if (this.destroyed) return reject(new Error('the room was left'))
      this.#unacknowledged.set(id, { text, resolve, reject })
      if (this.#isOpen) this.#ws.text(text)
    })
  }

  async #stay() {
    for (let failures = 0; !this.destroyed; failures++) {
      let end
      try {
        end = await this.#converse(() => (failures = 0))
      } catch (error) {
        end = error
        if (isFinal(error)) return this.destroy(error)
      }
      this.#isOpen = false
      if (this.destroyed) return
      // random, so that all clients of a process that ended do not come back at once
      const pause = Math.random() * Math.min(this.#longestPause, 200 * 2 ** failures)
      this.emit('disconnected', end, pause)
      await sleep(pause, undefined, { signal: this.#ending.signal }).catch(() => {})
    }
  }

  /** One connection, from its beginning to its end. */
  async #converse(succeeded) {
    if (this.position !== undefined) this.#url.searchParams.set('after', this.position)
    const ws = connect(this.#url, this.#options)
    this.#ws = ws
    try {
      await ws.opened
      for (const { text } of this.#unacknowledged.values()) ws.text(text)
      this.#isOpen = true
      for await (const text of ws.messages) {
        succeeded()
        await this.#take(JSON.parse(text))
      }
      return ws.whenClosed()
    } finally {
      ws.close()
    }
  }

  async #take({ at, isLost, ack, seq, data }) {
    if (at !== undefined) {
      this.position = at
      this.emit('connected', { at, isLost })
    } else if (ack !== undefined) {
      this.#unacknowledged.get(ack)?.resolve(seq)
      this.#unacknowledged.delete(ack)
    } else {
      this.position = seq
      if (!this.push({ seq, data })) await new Promise(resolve => (this.#readMore = resolve))
    }
  }

  _read() {
    this.#readMore?.()
    this.#readMore = null
  }

  /** Leaves the room. */
  _destroy(error, callback) {
    this.#readMore?.()
    this.#ending.abort()
    this.#ws?.close()
    for (const { reject } of this.#unacknowledged.values()) reject(error ?? new Error('the room was left'))
    this.#unacknowledged.clear()
    callback(error)
  }
}

/** Whether it would happen again: a refusal, or an error that is not one of the connection. */
function isFinal(error) {
  if (!(error instanceof WebSocketError)) return true
  return (
    error instanceof HandshakeError && error.status >= 400 && error.status < 500 && ![408, 429].includes(error.status)
  )
}
