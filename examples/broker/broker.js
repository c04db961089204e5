// The requests of this process to the broker: a NATS JetStream stream holds the messages of all rooms, with a subject for each room. Sequence
// numbers are those of the stream: they grow within a room, with gaps. Does not know rooms or members.

import { DiscardPolicy, jetstream, jetstreamManager, RetentionPolicy, StorageType } from '@nats-io/jetstream'
import { connect, nanos } from '@nats-io/transport-node'

const STREAM = 'ROOMS'
const HOUR = 3_600_000
/** Messages of a room that one pull asks for. */
export const BATCH = 32
/** Time in ms after which the broker forgets the consumers of a process that was killed. */
const FORGOTTEN = 30_000

export class Broker {
  #connection
  #streams
  #jetstream

  /** Connects, and waits for the broker if it is not running yet. */
  static async connect(servers, replicas) {
    const connection = await connect({
      servers,
      maxReconnectAttempts: -1,
      waitOnFirstConnect: true,
      pingInterval: 10_000
    })
    const { streams } = await jetstreamManager(connection)
    await streams.add({
      name: STREAM,
      subjects: ['rooms.*'],
      retention: RetentionPolicy.Limits,
      discard: DiscardPolicy.Old,
      storage: StorageType.File,
      num_replicas: replicas,
      max_age: nanos(24 * HOUR),
      max_bytes: 2 ** 30,
      duplicate_window: nanos(120_000)
    })
    return new Broker(connection, streams)
  }

  constructor(connection, streams) {
    this.#connection = connection
    this.#streams = streams
    this.#jetstream = jetstream(connection)
    this.isConnected = true
    this.#watch()
  }

  async #watch() {
    for await (const { type } of this.#connection.status()) {
      if (type === 'disconnect') this.isConnected = false
      if (type === 'reconnect') this.isConnected = true
    }
  }

  /** Resolves with the sequence number when the message is stored; one with an id that was seen lately is not stored again. */
  async publish(room, data, id) {
    const { seq } = await this.#jetstream.publish(subject(room), data, { msgID: id })
    return seq
  }

  /** The sequence number of a room's newest message; 0 for none. */
  async newest(room) {
    return (await this.#streams.getMessage(STREAM, { last_by_subj: subject(room) }))?.seq ?? 0
  }

  /** The sequence numbers that the stream holds at present, of all rooms. */
  async range() {
    const { state } = await this.#streams.info(STREAM)
    return { first: state.first_seq, last: state.last_seq }
  }

  /** Messages of a room as they come, from the one after `after`. Asks for more as they are taken; `close()` ends it. */
  async follow(room, after) {
    const consumer = await this.#consumer(room, after)
    return consumer.consume({ max_messages: 8 * BATCH, expires: 5000 })
  }

  /** The messages of a room after `after`, up to now, in batches. A batch is requested when the previous one has been handled. */
  async *history(room, after) {
    const consumer = await this.#consumer(room, after)
    try {
      let { num_pending: pending } = await consumer.info(true)
      while (pending > 0) {
        const batch = []
        for await (const message of await consumer.fetch({ max_messages: Math.min(BATCH, pending), expires: 5000 })) {
          batch.push(message)
          pending = message.info.pending
        }
        yield batch
      }
    } finally {
      consumer.delete().catch(() => {})
    }
  }

  /** In the stream's order, without gaps or repetitions, whatever happens to the connection. */
  #consumer(room, after) {
    const place = { filter_subjects: subject(room), opt_start_seq: after + 1, inactive_threshold: nanos(FORGOTTEN) }
    return this.#jetstream.consumers.get(STREAM, place)
  }

  close() {
    return this.#connection.drain()
  }
}

function subject(room) {
  return `rooms.${room}`
}
