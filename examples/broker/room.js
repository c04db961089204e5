// Gets each message of a room from the broker once, frames it once, and passes it to the members in this process. Keeps the last few
// messages for members that reconnect. Does not know sockets.

import { prepareMessage } from 'websocket-duplex'

/** Maximum number and total bytes of the kept messages of a room. */
const KEPT = 256
const KEPT_BYTES = 2 ** 18

export class Room {
  /** The members that have all messages, and get each new one at once. */
  upToDate = new Set()
  #name
  #broker
  #incoming
  #kept = []
  #keptBytes = 0

  static async open(broker, name) {
    const newest = await broker.newest(name)
    return new Room(broker, name, newest, await broker.follow(name, newest))
  }

  constructor(broker, name, newest, incoming) {
    this.#broker = broker
    this.#name = name
    this.#incoming = incoming
    /** The sequence number of the newest message. */
    this.newest = newest
    /** All messages after this sequence number are kept here. */
    this.floor = newest
    this.#run()
  }

  // if the broker fails, the rejection ends the process, and the clients resume at another one
  async #run() {
    for await (const message of this.#incoming) this.#spread(toMember(message))
  }

  #spread(message) {
    this.newest = message.seq
    this.#keep(message)
    for (const member of this.upToDate) member.take(message)
  }

  #keep(message) {
    this.#kept.push(message)
    this.#keptBytes += message.size
    while (this.#kept.length > KEPT || this.#keptBytes > KEPT_BYTES) {
      const { seq, size } = this.#kept.shift()
      this.floor = seq
      this.#keptBytes -= size
    }
  }

  /** The messages after `seq` in batches; asks for the next batch when one has been processed. */
  async *after(seq) {
    if (seq >= this.floor) {
      yield this.#kept.filter(message => message.seq > seq)
      return
    }
    for await (const batch of this.#broker.history(this.#name, seq)) {
      // frees the received messages once they are framed
      const messages = batch.splice(0).map(toMember)
      yield messages
      // the rest is kept in this process
      if (messages.at(-1)?.seq >= this.floor) return
    }
  }

  /** Where a member that has all messages up to `seq` continues: at `seq`, unless the broker has lost the next messages. */
  async resume(seq) {
    if (seq >= this.floor && seq <= this.newest) return seq
    const { first, last } = await this.#broker.range()
    if (seq > last) return this.newest
    return Math.max(seq, first - 1)
  }

  publish(data, id) {
    return this.#broker.publish(this.#name, data, id)
  }

  close() {
    return this.#incoming.close()
  }
}

/** The rooms with members in this process; a room is closed when its last member leaves. */
export class Rooms {
  #broker
  #open = new Map()

  constructor(broker) {
    this.#broker = broker
  }

  get size() {
    return this.#open.size
  }

  async enter(name) {
    const entry = this.#open.get(name) ?? { members: 0, room: Room.open(this.#broker, name) }
    this.#open.set(name, entry)
    entry.members++
    try {
      return await entry.room
    } catch (error) {
      await this.leave(name)
      throw error
    }
  }

  async leave(name) {
    const entry = this.#open.get(name)
    if (--entry.members > 0) return
    this.#open.delete(name)
    const room = await entry.room.catch(() => null)
    await room?.close()
  }
}

function toMember(message) {
  const text = JSON.stringify({ seq: message.seq, data: message.string() })
  return { seq: message.seq, size: text.length, message: prepareMessage(text) }
}
