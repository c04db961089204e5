// Emits the events of a WebSocketStream. What a listener throws surfaces by itself, but for those of the handshake.

import { EventEmitter } from './streams.js'
import { surface } from './surfacing.js'

/** What emits: a WebSocketStream. */
export type Emitter = Pick<import('node:events').EventEmitter, 'emit' | 'listeners' | 'listenerCount'>

/** Calls the listeners of an event; false if it has none. */
export function tell(emitter: Emitter, event: string, value: unknown): boolean {
  try {
    return emitter.emit(event, value)
  } catch (error) {
    surface(error)
    return true
  }
}

/** Calls the listeners of 'message' with bytes, and what they are; false if there are none. */
export function tellBytes(emitter: Emitter, message: Buffer, kind: 'text' | 'binary'): boolean {
  try {
    return emitter.emit('message', message, kind)
  } catch (error) {
    surface(error)
    return true
  }
}

/**
 * Emits an event of the handshake, and lets exceptions through: the application may be the caller, by `accept()`.
 * @throws what a listener throws
 */
export function ask(emitter: Emitter, event: 'request' | 'open', value: unknown): boolean {
  return EventEmitter.prototype.emit.call(emitter, event, value)
}

/** Whether an event has listeners. */
export function hears(emitter: Emitter, event: string): boolean {
  return emitter.listenerCount(event) > 0
}

/** Whether the application listens for errors: pipes do, too, and do nothing with those of a peer. */
export function hearsErrors(emitter: Emitter): boolean {
  return emitter.listeners('error').some(listener => listener !== ignore && listener.name !== 'onerror')
}

/** A listener for errors that the application does not listen for. */
export function ignore(): void {}
