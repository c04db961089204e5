// A connection comes in, a Duplex of JSON values goes out: what a value has to be, and what becomes of a wrong one, the application says.

import { checkOptions, unknownOption } from './checks.js'
import { kEndpoint } from './endpoint.js'
import type { WebSocketError } from './errors.js'
import { surfacing } from './surfacing.js'
import { JsonView } from './views/json-view.js'
import { WebSocketStream } from './websocket-stream.js'

/** What `jsonMessages` takes. An unknown name or a wrong type is a TypeError. */
export interface JsonOptions<In> {
  /**
   * Looks at each value that arrives, and returns it, or what becomes of it; or a promise, for which the messages behind it wait. It throws
   * where the value is wrong: `value => Schema.parse(value)`. Default: takes every value but `null`, which no stream can carry.
   */
  validate?: ((value: unknown) => In | PromiseLike<In>) | undefined
  /**
   * Called with each message that is not JSON, or that `validate` refuses; the connection goes on without it. `error.cause` says what is
   * wrong. Default: the connection is closed, with 1007, or with 1003 where the message is binary.
   */
  onInvalid?: ((error: WebSocketError, message: string | Buffer) => void) | undefined
}

const NAMES = ['validate', 'onInvalid']

/** Connections that have a view of JSON: two would each take messages of the other. */
const served = new WeakSet<WebSocketStream>()

/**
 * The messages of a connection as JSON, by way of `ws.messages`: an object-mode Duplex that reads parsed values and writes stringified
 * ones, with the backpressure of `ws.messages` in both directions.
 *
 * A message that is wrong is a fault of the peer's, as text is that is not UTF-8: the connection ends with `WS_ERR_INVALID_MESSAGE` (1007,
 * or 1003 for a binary one), which is emitted by `ws`, destroys the readable side, and crashes nothing. What `validate` threw is its
 * `cause`, and is not sent. With `onInvalid` the message is dropped, and the connection goes on.
 *
 * The size of a message, and with it the memory and time that parsing takes, are limited by `maxMessageSize`. `JSON.parse` makes
 * `__proto__` an ordinary property of what it gives; a value that was not validated must not be merged into other objects.
 * @param ws - nothing else may read it: no other view, and no `message` listener
 * @throws TypeError where it is no WebSocketStream, or read in another way, or by another call, or an option is wrong
 */
export function jsonMessages<In = any, Out = unknown>(
  ws: WebSocketStream,
  options: JsonOptions<In> = {}
): JsonView<In, Out> {
  if (!(ws instanceof WebSocketStream)) throw new TypeError('ws must be a WebSocketStream')
  for (const name of Object.keys(checkOptions(options))) {
    if (!NAMES.includes(name)) throw unknownOption(name, NAMES)
  }
  const { validate = null, onInvalid } = options
  if (validate !== null && typeof validate !== 'function') throw new TypeError('validate must be a function')
  if (onInvalid !== undefined && typeof onInvalid !== 'function') throw new TypeError('onInvalid must be a function')
  if (served.has(ws)) throw new TypeError('jsonMessages(ws) was called before: keep what it returned')
  const { messages } = ws
  served.add(ws)
  const { connection, receiver } = ws[kEndpoint]
  return new JsonView<In, Out>(messages, {
    validate,
    invalid(error, message) {
      if (onInvalid !== undefined) {
        surfacing(() => onInvalid(error, message))
        return 'go on'
      }
      connection.fail(error)
      // a connection of `reconnect` tells the loop
      return receiver.endsQuietly && connection.failure === error ? 'end here' : 'fail here'
    }
  })
}
