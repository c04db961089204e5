// Reads the messages of a room from the broker, once for this process, and sends them to its members here: each is framed once for all of
// them. Keeps the last few for members that resume. Does not know sockets.

import { prepareMessage } from 'websocket-duplex'

/** The maximum number of messages, and of their bytes, that are kept of a room. */
const KEPT = 256
const KEPT_BYTES = 2 ** 18

export class Room {
  /** The members that are up to date, and get each message as it comes. */
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
    /** What came after it is kept here. */
    this.floor = newest
    this.#run()
  }

  // if the room can no longer be read, the process ends, and its clients resume at another
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

  /** The messages after `seq`, in batches; the next is requested when the previous one has been handled. */
  async *after(seq) {
    if (seq >= this.floor) {
      yield this.#kept.filter(message => message.seq > seq)
      return
    }
    for await (const batch of this.#broker.history(this.#name, seq)) {
      // framed, they are not held as they came as well
      const messages = batch.splice(0).map(toMember)
      yield messages
      // the rest is here
      if (messages.at(-1)?.seq >= this.floor) return
    }
  }

  /** The position after which a member that has all messages up to `seq` continues: `seq`, unless the broker no longer has the next message. */
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

/** The rooms that have members in this process, each open as long as it has. */
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
