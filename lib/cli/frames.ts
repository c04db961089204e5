// Observes the frames of all connections of this process, through diagnostics_channel.

import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Frame, WebSocketStream } from '../index.js'

interface FrameEvent {
  readonly stream: WebSocketStream
  readonly direction: 'received' | 'sent'
  readonly frame: Frame
}

const CHANNEL = 'websocket-duplex:frame'

/** Calls `see` for each frame that begins; returns a function that stops it. */
export function watchFrames(see: (event: FrameEvent) => void): () => void {
  const listener = (message: unknown): void => {
    // the first part of a large frame has all the information
    if ((message as FrameEvent).frame.first) see(message as FrameEvent)
  }
  subscribe(CHANNEL, listener)
  return () => void unsubscribe(CHANNEL, listener)
}

/** Like `watchFrames`, for one connection, until it ends. */
export function watchFramesOf(ws: WebSocketStream, see: (event: FrameEvent) => void): void {
  const stop = watchFrames(event => {
    if (event.stream === ws) see(event)
  })
  ws.once('close', stop)
}
