// One connection to a room: publishes its messages, and sends it those of the room, in order, each once. A member that does
// not keep up then gets its messages from the broker separately, a batch at a time, at its own speed.

import { setTimeout as sleep } from 'node:timers/promises'

const TRY_AGAIN_LATER = 1013
const POLICY_VIOLATION = 1008
const LONGEST_ID = 64
/** ms */
const LAG = 200

/** Counts of this process, for its health page. */
export const counts = { published: 0, sent: 0, behind: 0, fellBehind: 0, mostHeld: 0 }

export class Member {
  #ws
  #room
  /** The sequence number of the last message that was sent. */
  #position = -1
  #gone = new AbortController()

  constructor(ws, room) {
    this.#ws = ws
    this.#room = room
    ws.whenClosed().then(() => {
      this.#gone.abort()
      room.upToDate.delete(this)
    })
  }

  /** Resolves when the member has left; `after` is the last that it had before, or null. */
  async stay(after) {
    await this.#resume(after ?? this.#room.newest)
    this.#catchUp()
    for await (const text of this.#ws.messages) {
      const message = read(text)
      if (message === null) return this.#ws.close(POLICY_VIOLATION, 'not {"id":"…","data":"…"}')
      // one at a time: a client's messages keep their order, and it cannot send faster than the broker stores
      const seq = await this.#room.publish(message.data, message.id)
      counts.published++
      this.#ws.text(JSON.stringify({ ack: message.id, seq }))
      await this.#drained()
    }
  }

  /** A message that has just come to the room. */
  take({ seq, message }) {
    // history may have been ahead
    if (seq <= this.#position) return
    this.#position = seq
    counts.sent++
    this.#ws.send(message)
    if (!this.#ws.needsDrain) return
    this.#room.upToDate.delete(this)
    counts.fellBehind++
    this.#note(0)
    this.#catchUp()
  }

  /** Tells a member its position at the beginning, and whenever the broker no longer has the next message. */
  async #resume(after) {
    const at = await this.#room.resume(after)
    if (at === this.#position) return
    this.#position = at
    this.#ws.text(JSON.stringify({ at, isLost: at !== after }))
  }

  async #catchUp() {
    counts.behind++
    try {
      await this.#drained()
      while (!this.#isGone && this.#position < this.#room.newest) await this.#readOn()
      // no message can have come since the newest one was checked
      if (!this.#isGone) this.#room.upToDate.add(this)
    } catch (error) {
      // the broker has failed this member, which may resume at another process
      this.#ws.close(TRY_AGAIN_LATER, 'the broker does not answer')
      console.error(error.message)
    } finally {
      counts.behind--
    }
  }

  async #readOn() {
    await this.#resume(this.#position)
    const before = this.#position
    for await (const batch of this.#room.after(before)) {
      let held = batch.reduce((sum, { size }) => sum + size, 0)
      for (const { seq, size, message } of batch) {
        if (this.#isGone) return
        this.#position = seq
        counts.sent++
        this.#ws.send(message)
        held -= size
        if (this.#ws.needsDrain) this.#note(held)
        await this.#drained()
      }
    }
    // another node of the broker may not have this message yet
    if (this.#position === before) await sleep(LAG)
  }

  #note(heldOfBatch) {
    counts.mostHeld = Math.max(counts.mostHeld, heldOfBatch + this.#ws.bufferedAmount)
  }

  /** Resolves when there is room for more, or the connection has ended. */
  async #drained() {
    await this.#ws.drained().catch(() => {})
  }

  get #isGone() {
    return this.#gone.signal.aborted
  }
}

function read(text) {
  try {
    const { id, data } = JSON.parse(text)
    return typeof id === 'string' && id.length <= LONGEST_ID && typeof data === 'string' ? { id, data } : null
  } catch {
    return null
  }
}
