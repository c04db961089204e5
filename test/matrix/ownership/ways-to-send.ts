// Every way to send. Each takes a full buffer, and resolves as soon as the application may fill it again.

import { Readable } from 'node:stream'
import { prepareMessage, type WebSocketStream } from '../../../lib/index.js'
import { bytesView, drained, send } from '../adapter.js'

/** The sender's view that is used. */
export type View = 'none' | 'messages' | 'streams' | 'frames' | 'bytes'

export interface WayToSend {
  readonly name: string
  /** What arrives. */
  readonly kind: 'text' | 'binary' | 'ping' | 'pong'
  send(ws: WebSocketStream, buffer: Buffer): unknown
}

type Callback = (error?: Error | null) => void

/** Resolves with the callback of a write. */
function calledBack(write: (callback: Callback) => unknown): Promise<void> {
  return new Promise((resolve, reject) => write(error => (error ? reject(error) : resolve())))
}

async function sendAndDrain(ws: WebSocketStream, data: Parameters<typeof send>[1]): Promise<void> {
  send(ws, data)
  await drained(ws)
}

/** The buffer as another type on the same memory. */
const dataView = ({ buffer, byteOffset, byteLength }: Buffer): DataView => new DataView(buffer, byteOffset, byteLength)

/** Copies share no memory with the buffer, so these overwrite them as soon as they are free. */
async function sendFromCopy(ws: WebSocketStream, copy: ArrayBuffer | SharedArrayBuffer, buffer: Buffer): Promise<void> {
  const bytes = new Uint8Array(copy)
  bytes.set(buffer)
  await sendAndDrain(ws, copy)
  bytes.fill(0xee)
}

const DIRECT: readonly WayToSend[] = [
  { name: 'text', kind: 'text', send: (ws, buffer) => sendAndDrain(ws, buffer.toString()) },
  { name: 'binary of a Buffer', kind: 'binary', send: (ws, buffer) => sendAndDrain(ws, buffer) },
  {
    name: 'binary of a Uint8Array',
    kind: 'binary',
    send: (ws, { buffer, byteOffset, length }) => sendAndDrain(ws, new Uint8Array(buffer, byteOffset, length))
  },
  { name: 'binary of a DataView', kind: 'binary', send: (ws, buffer) => sendAndDrain(ws, dataView(buffer)) },
  {
    name: 'binary of an ArrayBuffer',
    kind: 'binary',
    send: (ws, buffer) => sendFromCopy(ws, new ArrayBuffer(buffer.length), buffer)
  },
  {
    name: 'binary of a SharedArrayBuffer',
    kind: 'binary',
    send: (ws, buffer) => sendFromCopy(ws, new SharedArrayBuffer(buffer.length), buffer)
  },
  {
    name: 'binary, with a callback',
    kind: 'binary',
    send: (ws, buffer) => calledBack(callback => ws.binary(buffer, callback))
  },
  {
    name: 'text of bytes, with a callback',
    kind: 'text',
    send: (ws, buffer) => calledBack(callback => ws.text(buffer, callback))
  },
  // a prepared message is a copy, so the buffer may change at once
  { name: 'a prepared message', kind: 'binary', send: (ws, buffer) => void send(ws, prepareMessage(buffer)) },
  {
    name: 'createMessage, by pieces',
    kind: 'binary',
    async send(ws, buffer) {
      const message = ws.createMessage('binary')
      const half = buffer.length >> 1
      await calledBack(callback => message.write(buffer.subarray(0, half), callback))
      buffer.fill(0xee, 0, half)
      await calledBack(callback => message.write(buffer.subarray(half), callback))
      buffer.fill(0xee)
      await calledBack(callback => message.end(callback))
    }
  },
  {
    name: 'createMessage of text, by bytes',
    kind: 'text',
    async send(ws, buffer) {
      const message = ws.createMessage('text')
      await calledBack(callback => message.write(buffer, callback))
      buffer.fill(0xee)
      message.end()
    }
  }
]

const CONTROLS: readonly WayToSend[] = [
  { name: 'ping', kind: 'ping', send: (ws, buffer) => void ws.ping(buffer) },
  { name: 'pong', kind: 'pong', send: (ws, buffer) => void ws.pong(buffer) }
]

const BY_MESSAGES: readonly WayToSend[] = [
  {
    name: 'messages.write',
    kind: 'binary',
    send: (ws, buffer) => calledBack(callback => ws.messages.write(buffer, callback))
  },
  {
    name: 'messages.write of a DataView',
    kind: 'binary',
    send: (ws, buffer) => calledBack(callback => ws.messages.write(dataView(buffer), callback))
  },
  {
    name: 'messages.write of text',
    kind: 'text',
    send: (ws, buffer) => calledBack(callback => ws.messages.write(buffer.toString(), callback))
  }
]

const BY_STREAMS: readonly WayToSend[] = [
  {
    name: 'streams.write of a Readable',
    kind: 'binary',
    send(ws, buffer) {
      const half = buffer.length >> 1
      const pieces = [buffer.subarray(0, half), buffer.subarray(half)].filter(({ length }) => length > 0)
      const source = Readable.from(pieces, { objectMode: false })
      return calledBack(callback => ws.streams.write(source, callback))
    }
  },
  {
    name: 'streams.write of a Buffer',
    kind: 'binary',
    send: (ws, buffer) => calledBack(callback => ws.streams.write(buffer, callback))
  }
]

const BY_FRAMES: readonly WayToSend[] = [
  {
    name: 'frames.write',
    kind: 'binary',
    send: (ws, payload) => calledBack(callback => ws.frames.write({ opcode: 2, payload }, callback))
  },
  {
    name: 'frames.write of two fragments',
    kind: 'text',
    async send(ws, buffer) {
      const half = buffer.length >> 1
      const first = { opcode: 1, fin: false, payload: buffer.subarray(0, half) } as const
      await calledBack(callback => ws.frames.write(first, callback))
      buffer.fill(0xee, 0, half)
      await calledBack(callback => ws.frames.write({ opcode: 0, payload: buffer.subarray(half) }, callback))
    }
  }
]

const FRAMES_CONTROLS: readonly WayToSend[] = [
  {
    name: 'frames.write of a ping',
    kind: 'ping',
    send: (ws, payload) => calledBack(callback => ws.frames.write({ opcode: 9, payload }, callback))
  },
  {
    name: 'frames.write of a pong',
    kind: 'pong',
    send: (ws, payload) => calledBack(callback => ws.frames.write({ opcode: 10, payload }, callback))
  }
]

const BY_BYTES: readonly WayToSend[] = [
  {
    name: 'bytes.write',
    kind: 'binary',
    send: (ws, buffer) => calledBack(callback => bytesView(ws)!.write(buffer, callback))
  }
]

/** The ways to send messages through each view, and those for control frames. */
export const WAYS: Readonly<Record<View, { messages: readonly WayToSend[]; controls: readonly WayToSend[] }>> = {
  none: { messages: DIRECT, controls: CONTROLS },
  // these bypass the view, but wait for what was written to it before
  messages: { messages: [...BY_MESSAGES, ...DIRECT], controls: CONTROLS },
  streams: { messages: [...BY_STREAMS, ...DIRECT], controls: CONTROLS },
  frames: { messages: BY_FRAMES, controls: [...FRAMES_CONTROLS, ...CONTROLS] },
  bytes: { messages: BY_BYTES, controls: CONTROLS }
}
