// Connections come in, and leave when they end: a set to send to, as the acceptor's own is.

import type { Sendable } from '../protocol/message-splitter.js'
import type { PreparedMessage } from '../protocol/prepared-message.js'
import { WebSocketStream } from '../websocket-stream.js'
import { type BroadcastOptions, type BroadcastResult, broadcast } from './broadcast.js'

/** The rooms that each connection is in. */
const roomsOf = new WeakMap<WebSocketStream, Set<Room>>()

/**
 * Connections to broadcast to: those of a chat room, of a topic, of a user. A connection may be in any number of rooms, and leaves them by
 * itself when it is over, before `close` listeners of the application are called. `new Room()` has no options: how a message is sent is said
 * with each one, as in `acceptor.broadcast`.
 */
export class Room implements Iterable<WebSocketStream> {
  private readonly members = new Set<WebSocketStream>()

  /** How many connections are in it. */
  get size(): number {
    return this.members.size
  }

  /**
   * Takes a connection in; one that is over is not.
   * @throws TypeError where it is no WebSocketStream
   */
  add(ws: WebSocketStream): this {
    if (!(ws instanceof WebSocketStream)) throw new TypeError('ws must be a WebSocketStream')
    if (ws.closeInfo !== undefined) return this
    this.members.add(ws)
    roomsFor(ws).add(this)
    return this
  }

  /** Lets a connection go; false where it was not in the room. */
  delete(ws: WebSocketStream): boolean {
    roomsOf.get(ws)?.delete(this)
    return this.members.delete(ws)
  }

  /** Whether a connection is in the room. */
  has(ws: WebSocketStream): boolean {
    return this.members.has(ws)
  }

  /** The connections, in the order in which they came. */
  [Symbol.iterator](): IterableIterator<WebSocketStream> {
    return this.members.values()
  }

  /**
   * Sends a message to all that are in the room and open, framed and compressed once. Never more than `limit` bytes are held for a
   * connection that does not keep up.
   * @throws TypeError where it is no message, or an option is wrong; RangeError where the message alone is larger than a `limit` that was
   * given
   */
  broadcast(data: Sendable | PreparedMessage, options?: BroadcastOptions): BroadcastResult {
    return broadcast(this.members, data, options)
  }
}

function roomsFor(ws: WebSocketStream): Set<Room> {
  const known = roomsOf.get(ws)
  if (known !== undefined) return known
  const rooms = new Set<Room>()
  roomsOf.set(ws, rooms)
  // ahead of the application's, which may ask whether a room is empty now
  ws.prependListener('close', leaveAll)
  return rooms
}

function leaveAll(this: WebSocketStream): void {
  for (const room of roomsOf.get(this)!) room.delete(this)
}
