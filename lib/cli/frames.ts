// Every frame of every connection of this process, as the library tells observers of them.

import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Frame, WebSocketStream } from '../index.js'

interface FrameEvent {
  readonly stream: WebSocketStream
  readonly direction: 'received' | 'sent'
  readonly frame: Frame
}

const CHANNEL = 'websocket-duplex:frame'

/** Calls `see` for each frame that begins; gives what stops that. */
export function watchFrames(see: (event: FrameEvent) => void): () => void {
  const listener = (message: unknown): void => {
    // of a large one that comes in parts, the first tells all
    if ((message as FrameEvent).frame.first) see(message as FrameEvent)
  }
  subscribe(CHANNEL, listener)
  return () => void unsubscribe(CHANNEL, listener)
}

/** As `watchFrames`, for one connection, and until it is over. */
export function watchFramesOf(ws: WebSocketStream, see: (event: FrameEvent) => void): void {
  const stop = watchFrames(event => {
    if (event.stream === ws) see(event)
  })
  ws.once('close', stop)
}
