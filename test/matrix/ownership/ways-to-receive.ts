// Every way to receive. Each passes on the pieces of memory that the application gets, message by message.

import type { WebSocketStream } from '../../../lib/index.js'
import { bytesView } from '../adapter.js'

/** Takes the pieces: bytes, or text; `end` after the last piece of each message. */
export interface Taker {
  piece(piece: Buffer | string): void
  end(): void
}

export interface WayToReceive {
  readonly name: string
  /** For a way without borders between messages, and without text. */
  readonly isBytes?: true
  read(ws: WebSocketStream, taker: Taker): unknown
}

const whole = (taker: Taker, message: Buffer | string): void => {
  taker.piece(message)
  taker.end()
}

async function readStreams(ws: WebSocketStream, taker: Taker): Promise<void> {
  for await (const stream of ws.streams) {
    for await (const piece of stream) taker.piece(piece)
    taker.end()
  }
}

const ALL: readonly WayToReceive[] = [
  { name: "the 'message' event", read: (ws, taker) => ws.on('message', message => whole(taker, message)) },
  {
    name: "'data' of messages",
    read: (ws, taker) => ws.messages.on('data', message => whole(taker, message as Buffer | string))
  },
  {
    name: 'a loop over messages',
    async read(ws, taker) {
      for await (const message of ws.messages) whole(taker, message as Buffer | string)
    }
  },
  {
    name: "'readable' and read() of messages",
    read: (ws, taker) =>
      ws.messages.on('readable', () => {
        for (let message = ws.messages.read(); message !== null; message = ws.messages.read()) whole(taker, message)
      })
  },
  { name: 'streams', read: readStreams },
  {
    name: 'frames',
    read: (ws, taker) =>
      ws.frames.on('data', ({ opcode, payload, fin, complete }) => {
        if (opcode >= 8) return
        taker.piece(payload)
        if (fin && complete) taker.end()
      })
  },
  { name: 'bytes', isBytes: true, read: (ws, taker) => bytesView(ws)!.on('data', piece => taker.piece(piece)) }
]

/** The ways that this version of the library has. */
export const waysToReceive = (has: (member: string) => boolean): readonly WayToReceive[] =>
  ALL.filter(({ isBytes }) => isBytes !== true || has('bytes'))
