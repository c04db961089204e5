// Closes the connection when the application destroys its view, or a message that has begun.

import type { Connection } from '../connection.js'
import { WebSocketError } from '../errors.js'
import type { MessageReceiver } from '../inbound/message-receiver.js'
import type { Lifecycle } from '../lifecycle.js'
import { CloseCode, writeCloseBody } from '../protocol/close-code.js'
import { type Buffer, setImmediate, warn } from '../runtime/node.js'

export const NORMAL = writeCloseBody(1000, '')

/** The body of the Close if a message in pieces cannot be ended. */
export function brokenBody(error: Error | null): Buffer {
  const isText = error instanceof WebSocketError && error.code === 'WS_ERR_INVALID_UTF8'
  return writeCloseBody(isText ? CloseCode.InvalidPayload : CloseCode.InternalError, '')
}

/**
 * Closes with 1011 if the view was destroyed with an error of the application.
 * @param bodyOf - gives the body of the Close otherwise
 */
export function closeForView(
  error: Error | null,
  connection: Connection,
  lifecycle: Lifecycle,
  { view, kind }: MessageReceiver,
  bodyOf: () => Buffer
): void {
  // leaving a `for await` loop destroys the stream with an AbortError, which is not a failure
  const isNormal = error === null || error.name === 'AbortError'
  if (isNormal) {
    // later: code that catches the exception which left the loop may close with another code first
    setImmediate(() => connection.close(bodyOf()))
    return
  }
  if (!(error instanceof WebSocketError)) {
    lifecycle.fail(error)
    // without a listener the mistake would look like a normal end; one of the listeners is the view's own
    const isHeard = lifecycle.hasErrorListeners || view!.listenerCount('error') > 1
    if (!isHeard) {
      warn(`ws.${kind} was destroyed, and the connection closed with 1011: ${error.message}`, 'WS_DESTROYED')
    }
  }
  connection.close(writeCloseBody(CloseCode.InternalError, ''))
}
