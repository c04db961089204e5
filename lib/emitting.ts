// Emits the events of a WebSocketStream. Exceptions of listeners surface as uncaught exceptions, except during the handshake.

import { EventEmitter, ignore } from './streams.js'
import { surface } from './surfacing.js'

/** A WebSocketStream, as an emitter. */
export type Emitter = Pick<import('node:events').EventEmitter, 'emit' | 'listeners' | 'listenerCount'>

/** Calls the listeners of an event; false if it has none. */
export function emitEvent(emitter: Emitter, event: string, value: unknown): boolean {
  try {
    return emitter.emit(event, value)
  } catch (error) {
    surface(error)
    return true
  }
}

/** Calls the 'message' listeners with bytes and their kind; false if there are none. */
export function emitMessageBytes(emitter: Emitter, message: Buffer, kind: 'text' | 'binary'): boolean {
  try {
    return emitter.emit('message', message, kind)
  } catch (error) {
    surface(error)
    return true
  }
}

/**
 * Emits an event of the handshake without catching exceptions, since the application may be the caller, through `accept()`.
 * @throws what a listener throws
 */
export function emitOrThrow(emitter: Emitter, event: 'request' | 'open', value: unknown): boolean {
  return EventEmitter.prototype.emit.call(emitter, event, value)
}

/** Whether an event has listeners. */
export function hasListeners(emitter: Emitter, event: string): boolean {
  return emitter.listenerCount(event) > 0
}

/** Whether the application listens for errors. Each pipe into the stream also listens, once for 'error' and once for 'unpipe'. */
export function hasErrorListeners(emitter: Emitter): boolean {
  const listeners = emitter.listeners('error').filter(listener => listener !== ignore)
  const pipes = emitter.listeners('unpipe').filter(({ name }) => name === 'onunpipe')
  return listeners.length > pipes.length
}
