// Passes the events of a core connection to its WebSocket. One function for each event, shared by all connections.

import type { CloseInfo, WebSocketStream } from '../../index.js'
import { kBroke, kEnded, kReceive } from './internals.js'

const kSocket = Symbol('WebSocket')

interface Listening {
  emit(event: 'ping' | 'pong', payload: Buffer): boolean
  [kReceive](data: Buffer, isBinary: boolean): void
  [kBroke](error: Error): void
  [kEnded](info: CloseInfo): void
}

type Core = WebSocketStream & { [kSocket]: Listening }

/** Passes all events of the connection to the WebSocket. */
export function listenTo(core: WebSocketStream, socket: Listening): void {
  ;(core as Core)[kSocket] = socket
  core.on('message', onMessage)
  core.on('ping', onPing)
  core.on('pong', onPong)
  core.on('error', onError)
  core.on('close', onClose)
}

function onMessage(this: WebSocketStream, message: string | Buffer, kind?: 'text' | 'binary'): void {
  ;(this as Core)[kSocket][kReceive](message as Buffer, kind === 'binary')
}

function onPing(this: WebSocketStream, payload: Buffer): void {
  ;(this as Core)[kSocket].emit('ping', payload)
}

function onPong(this: WebSocketStream, payload: Buffer): void {
  ;(this as Core)[kSocket].emit('pong', payload)
}

function onError(this: WebSocketStream, error: Error): void {
  ;(this as Core)[kSocket][kBroke](error)
}

function onClose(this: WebSocketStream, info: CloseInfo): void {
  ;(this as Core)[kSocket][kEnded](info)
}
