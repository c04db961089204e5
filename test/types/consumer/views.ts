// The exact types of what views read and write, and that mistakes are errors. Only the types are checked: nothing here runs.

import { finished, Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import {
  type Frame,
  type FramesView,
  type MessageKind,
  type MessageStream,
  type MessageWriter,
  Opcode,
  type PreparedMessage,
  prepareMessage,
  type StreamsView,
  type WebSocketStream
} from '../../../lib/index.js'
import { same } from './same.js'

export async function messages(ws: WebSocketStream): Promise<void> {
  for await (const message of ws.messages) same<typeof message, string | Buffer>(true)
  ws.messages.on('data', message => same<typeof message, string | Buffer>(true))
  ws.messages.once('data', message => same<typeof message, string | Buffer>(true))
  ws.messages.on('end', () => {}).on('drain', () => {})
  await pipeline(ws.messages, async source => {
    for await (const message of source) same<typeof message, string | Buffer>(true)
  })
  ws.messages.write('text', error => same<typeof error, Error | null | undefined>(true))
  ws.messages.write(prepareMessage('text'))
  ws.messages.end(Buffer.from('binary'))
  // @ts-expect-error a number is not a message
  ws.messages.write(5)
  // @ts-expect-error an object is not a message
  ws.messages.end({ text: 'text' })
  // @ts-expect-error a message may be binary
  ws.messages.on('data', (message: string) => console.log(message))
}

export async function streams(ws: WebSocketStream): Promise<void> {
  same<typeof ws.streams, StreamsView>(true)
  for await (const stream of ws.streams) {
    same<typeof stream, MessageStream>(true)
    same<typeof stream.kind, MessageKind>(true)
    same<MessageKind, 'text' | 'binary'>(true)
    const readable: Readable = stream
    finished(readable, () => {})
  }
  ws.streams.on('data', stream => same<typeof stream, MessageStream>(true))
  ws.streams.write(Readable.from(['one', 'two']))
  ws.streams.write('whole')
  // @ts-expect-error a number is not a message
  ws.streams.write(5)
  await pipeline(ws.streams, ws.streams)
}

export async function frames(ws: WebSocketStream, other: WebSocketStream): Promise<void> {
  same<typeof ws.frames, FramesView>(true)
  for await (const frame of ws.frames) same<typeof frame, Frame>(true)
  await Promise.all([pipeline(ws.frames, other.frames), pipeline(other.frames, ws.frames)])
  ws.frames.pipe(other.frames).on('data', frame => same<typeof frame, Frame>(true))
  ws.frames.write({ opcode: Opcode.Text, payload: 'part', fin: false })
  // Node's types accept as a stream only what takes text
  const writable: NodeJS.WritableStream = ws.frames
  void writable
}

export async function pieces(ws: WebSocketStream, source: Readable): Promise<void> {
  const writer: MessageWriter = ws.createMessage('binary', { compress: false })
  await pipeline(source, writer)
  same<ReturnType<typeof prepareMessage>, PreparedMessage>(true)
  ws.send(prepareMessage(new Uint8Array(1)))
  ws.text('text', { compress: false })
  // @ts-expect-error no such kind
  ws.createMessage('json')
  ws.send('text')
  ws.send(new Blob(['bytes']))
  // @ts-expect-error a number is not a message
  ws.send(5)
}

export function listeners(ws: WebSocketStream): void {
  // @ts-expect-error not the type of its values
  ws.on('close', (code: number) => console.log(code))
  // @ts-expect-error a message may be binary
  ws.once('message', (message: string) => console.log(message))
  // @ts-expect-error a payload is bytes
  ws.emit('ping', 'text')
}
