// Makes a Duplex of JSON values from a connection. The application validates the values, and decides what happens to invalid ones.

import { checkFunction, checkOptions, unknownOption } from './checks.js'
import { kEndpoint } from './endpoint.js'
import type { WebSocketError } from './errors.js'
import { surfacing } from './surfacing.js'
import { JsonView } from './views/json-view.js'
import { WebSocketStream } from './websocket-stream.js'

/** Options of `jsonMessages`. An unknown name or a wrong type is a TypeError. */
export interface JsonOptions<In> {
  /**
   * Gets each parsed value, and returns it or a converted one; or a promise, for which later messages wait. Throws if the value is invalid:
   * `value => Schema.parse(value)`. Default: accepts every value but `null`, which a stream cannot carry.
   */
  validate?: ((value: unknown) => In | PromiseLike<In>) | undefined
  /**
   * Called with each message that is not JSON or that `validate` rejects; the message is dropped, and the connection continues.
   * `error.cause` says what is wrong. Default: the connection is closed with 1007, or with 1003 if the message is binary.
   */
  onInvalid?: ((error: WebSocketError, message: string | Buffer) => void) | undefined
}

const NAMES = ['validate', 'onInvalid']

/** Connections that already have a JsonView: a second one would take some of its messages. */
const served = new WeakSet<WebSocketStream>()

/**
 * The messages of a connection as JSON, on top of `ws.messages`: an object-mode Duplex that reads parsed values and writes stringified
 * ones, with the backpressure of `ws.messages` in both directions.
 *
 * An invalid message fails the connection, like text that is not UTF-8: it ends with `WS_ERR_INVALID_MESSAGE` (1007, or 1003 for a binary
 * one), which `ws` emits, and which destroys the readable side; without a listener it does not crash the process. The exception of
 * `validate` is its `cause`, and is not sent to the peer. With `onInvalid` the message is dropped, and the connection continues.
 *
 * `maxMessageSize` limits the size of a message, and thereby the memory and time for parsing. `JSON.parse` makes `__proto__` an ordinary
 * property of its result; do not merge a value that was not validated into other objects.
 * @param ws - must not be read in any other way: by another view or a `message` listener
 * @throws TypeError if it is not a WebSocketStream, is read in another way, or was passed before; or if an option is invalid
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
  if (validate !== null) checkFunction(validate, 'validate')
  if (onInvalid !== undefined) checkFunction(onInvalid, 'onInvalid')
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
      // for a connection of `reconnect`, the loop reports the error
      return receiver.endsQuietly && connection.failure === error ? 'end here' : 'fail here'
    }
  })
}
