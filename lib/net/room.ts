// A set of connections to send to. A connection leaves it when it ends, as with the set of an acceptor.

import type { Sendable } from '../protocol/message-splitter.js'
import type { PreparedMessage } from '../protocol/prepared-message.js'
import { WebSocketStream } from '../websocket-stream.js'
import { type BroadcastOptions, type BroadcastResult, broadcast } from './broadcast.js'

/** The rooms that each connection is in. */
const roomsOf = new WeakMap<WebSocketStream, Set<Room>>()

/**
 * Connections to broadcast to, for example those of a chat room, a topic or a user. A connection may be in any number of rooms, and leaves
 * them when it ends, before `close` listeners of the application are called. `new Room()` has no options: each `broadcast` has its own, as
 * in `acceptor.broadcast`.
 */
export class Room implements Iterable<WebSocketStream> {
  private readonly members = new Set<WebSocketStream>()

  /** The number of connections in the room. */
  get size(): number {
    return this.members.size
  }

  /**
   * Adds a connection, unless it has ended.
   * @throws TypeError if it is not a WebSocketStream
   */
  add(ws: WebSocketStream): this {
    if (!(ws instanceof WebSocketStream)) throw new TypeError('ws must be a WebSocketStream')
    if (ws.closeInfo !== undefined) return this
    this.members.add(ws)
    roomsFor(ws).add(this)
    return this
  }

  /** Removes a connection; false if it was not in the room. */
  delete(ws: WebSocketStream): boolean {
    roomsOf.get(ws)?.delete(this)
    return this.members.delete(ws)
  }

  /** Whether a connection is in the room. */
  has(ws: WebSocketStream): boolean {
    return this.members.has(ws)
  }

  /** The connections in the order in which they were added. */
  [Symbol.iterator](): IterableIterator<WebSocketStream> {
    return this.members.values()
  }

  /**
   * Sends a message to all open connections in the room, framed and compressed once. At most `limit` bytes are buffered for a connection
   * that does not keep up.
   * @throws TypeError if it is not a message, or an option is invalid; RangeError if the message alone exceeds a `limit` that was given
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
  // runs before the application's listeners, which may check whether the room is empty
  ws.prependListener('close', leaveAll)
  return rooms
}

function leaveAll(this: WebSocketStream): void {
  for (const room of roomsOf.get(this)!) room.delete(this)
}
