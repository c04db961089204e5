// Sends one message, framed once, to all connections that keep up. Buffers nothing for the others.

import { checkFunction, checkNumber, checkOptions, unknownOption } from '../checks.js'
import { CloseCode } from '../protocol/close-code.js'
import type { Sendable } from '../protocol/message-splitter.js'
import { prepareMessage } from '../protocol/prepare-message.js'
import { PreparedMessage } from '../protocol/prepared-message.js'
import { WebSocketStream } from '../websocket-stream.js'

/**
 * What happens to a connection that is behind, that is, the message would make it buffer more than `limit` bytes:
 *
 * - `'close'`: it is closed with 1013 (try again later) after the data it buffers, and gets no further messages.
 * - `'drop'`: it does not get this message; it gets the next one if that fits. It may miss any message.
 * - `'skip'`: it gets no message until its buffer is empty, then the newest. It misses runs of messages instead of single ones.
 */
export type WhenBehind = 'close' | 'drop' | 'skip'

/** Which connections get a message, and what happens to slow ones. An unknown name or a wrong type is a TypeError. */
export interface BroadcastOptions {
  /** A connection that gets nothing, such as the sender of the message; or several. Default: none. */
  except?: WebSocketStream | Iterable<WebSocketStream> | undefined
  /** Decides for each other connection whether it gets the message. If it throws, the broadcast stops. Default: all get it. */
  filter?: ((ws: WebSocketStream) => boolean) | undefined
  /** What happens to a connection that is behind. Default: `'close'`. */
  whenBehind?: WhenBehind | undefined
  /**
   * Maximum bytes buffered in a connection, including this message, as counted by `bufferedAmount`. Default: 1048576; a message larger than
   * that is sent to connections whose buffer is empty, so that messages of any size can be passed on.
   */
  limit?: number | undefined
}

/** The result of a broadcast. */
export interface BroadcastResult {
  /** Number of connections that it was sent to. */
  readonly sent: number
  /** Number of connections that were behind and did not get it. */
  readonly behind: number
}

const POLICIES: readonly unknown[] = ['close', 'drop', 'skip']
const NAMES: readonly string[] = ['except', 'filter', 'whenBehind', 'limit']
const DEFAULT_LIMIT = 2 ** 20
/** Maximum size of a frame header (RFC 6455 §5.2). */
const HEADER_SIZE = 14

// connections that `'skip'` has skipped
const skipped = new WeakSet<WebSocketStream>()

/**
 * Sends a message to many connections, prepared once for all of them (`prepareMessage`).
 * @throws TypeError if it is not a message, or an option is invalid; RangeError if the message alone exceeds a `limit` that was given
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
  /** Undefined if none was given. */
  readonly limit: number | undefined
}

function readBroadcastOptions(options: BroadcastOptions): BroadcastSettings {
  for (const name of Object.keys(checkOptions(options))) {
    if (!NAMES.includes(name)) throw unknownOption(name, NAMES)
  }
  const { except, filter = all, whenBehind = 'close', limit } = options
  checkFunction(filter, 'filter')
  if (!POLICIES.includes(whenBehind)) throw new TypeError(`whenBehind must be one of: ${POLICIES.join(', ')}`)
  if (limit !== undefined) checkNumber(limit, 'limit', 0)
  return { isExcepted: readExcept(except), filter, whenBehind, limit }
}

function readExcept(except: unknown): (ws: WebSocketStream) => boolean {
  if (except === undefined) return none
  // a connection is iterable too
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
