// One message and many connections come in: it is framed once, and sent to all that keep up. Holds nothing for those that do not.

import { checkNumber, checkOptions, unknownOption } from '../checks.js'
import { CloseCode } from '../protocol/close-code.js'
import type { Sendable } from '../protocol/message-splitter.js'
import { prepareMessage } from '../protocol/prepare-message.js'
import { PreparedMessage } from '../protocol/prepared-message.js'
import { WebSocketStream } from '../websocket-stream.js'

/**
 * What becomes of a connection that is behind, which means that the message would make it hold more than `limit` bytes:
 *
 * - `'close'`: it is closed with 1013 (try again later) behind what it holds, and gets nothing more.
 * - `'drop'`: this message is not sent to it; the next one is, if it fits by then. What it receives may have gaps anywhere.
 * - `'skip'`: no message is sent to it until it holds nothing any more; then it goes on with the newest. It misses one run of
 *   messages each time, and not one here and there.
 */
export type WhenBehind = 'close' | 'drop' | 'skip'

/** Who gets a message, and what happens to those that are too slow for it. An unknown name or a wrong type is a TypeError. */
export interface BroadcastOptions {
  /** A connection that gets nothing, as the sender of the message, or several. Default: none. */
  except?: WebSocketStream | Iterable<WebSocketStream> | undefined
  /** Says of each other connection whether it gets the message. What it throws ends the broadcast. Default: all do. */
  filter?: ((ws: WebSocketStream) => boolean) | undefined
  /** What becomes of a connection that is behind. Default: `'close'`. */
  whenBehind?: WhenBehind | undefined
  /**
   * Bytes that may wait in a connection, this message included, as `bufferedAmount` counts them. Default: 1048576; a message that is larger
   * by itself then goes to connections that hold nothing, so that what clients send can be passed on whatever its size.
   */
  limit?: number | undefined
}

/** What became of a broadcast. */
export interface BroadcastResult {
  /** Connections that it was sent to. */
  readonly sent: number
  /** Connections that were behind, and did not get it. */
  readonly behind: number
}

const POLICIES: readonly unknown[] = ['close', 'drop', 'skip']
const NAMES: readonly string[] = ['except', 'filter', 'whenBehind', 'limit']
const DEFAULT_LIMIT = 2 ** 20
/** The longest header that a message has in front of it (RFC 6455 §5.2). */
const HEADER_SIZE = 14

// connections that `'skip'` passes over
const skipped = new WeakSet<WebSocketStream>()

/**
 * Sends a message to many connections, prepared once for all of them (`prepareMessage`).
 * @throws TypeError where it is no message, or an option is wrong; RangeError where the message alone is larger than a `limit` that was
 * given
 */
export function broadcast(
  connections: Iterable<WebSocketStream>,
  data: Sendable | PreparedMessage,
  options: BroadcastOptions = {}
): BroadcastResult {
  const { isExcepted, filter, whenBehind, limit: given } = readBroadcastOptions(options)
  const message = data instanceof PreparedMessage ? data : prepareMessage(data)
  const size = message.size + HEADER_SIZE
  const limit = given ?? Math.max(DEFAULT_LIMIT, size)
  if (size > limit) throw new RangeError(`the message has ${message.size} bytes, which is more than limit allows`)
  let sent = 0
  let behind = 0
  for (const ws of connections) {
    if (ws.readyState !== 'open' || isExcepted(ws) || !filter(ws)) continue
    if (!isBehind(ws, size, limit)) {
      if (ws.send(message)) sent++
      continue
    }
    behind++
    if (whenBehind === 'skip') skipped.add(ws)
    else if (whenBehind === 'close') ws.close(CloseCode.TryAgainLater, 'too slow')
  }
  return { sent, behind }
}

function isBehind(ws: WebSocketStream, size: number, limit: number): boolean {
  const held = ws.bufferedAmount
  if (skipped.has(ws) && held > 0) return true
  skipped.delete(ws)
  return held + size > limit
}

interface BroadcastSettings {
  readonly isExcepted: (ws: WebSocketStream) => boolean
  readonly filter: (ws: WebSocketStream) => boolean
  readonly whenBehind: WhenBehind
  /** Undefined where none was given. */
  readonly limit: number | undefined
}

function readBroadcastOptions(options: BroadcastOptions): BroadcastSettings {
  for (const name of Object.keys(checkOptions(options))) {
    if (!NAMES.includes(name)) throw unknownOption(name, NAMES)
  }
  const { except, filter = all, whenBehind = 'close', limit } = options
  if (typeof filter !== 'function') throw new TypeError('filter must be a function')
  if (!POLICIES.includes(whenBehind)) throw new TypeError(`whenBehind must be one of: ${POLICIES.join(', ')}`)
  if (limit !== undefined) checkNumber(limit, 'limit', 0)
  return { isExcepted: readExcept(except), filter, whenBehind, limit }
}

function readExcept(except: unknown): (ws: WebSocketStream) => boolean {
  if (except === undefined) return none
  // a connection can be iterated over, too
  if (except instanceof WebSocketStream) return ws => ws === except
  if (typeof (except as Partial<Iterable<unknown>> | null)?.[Symbol.iterator] !== 'function') {
    throw new TypeError('except must be a WebSocketStream, or an iterable of them')
  }
  const excepted = new Set(except as Iterable<WebSocketStream>)
  return ws => excepted.has(ws)
}

function all(): true {
  return true
}

function none(): false {
  return false
}
