// Node's own stream functions accept the streams of this library without casts. Only the types are checked: nothing here runs.

import { once } from 'node:events'
import type { Socket } from 'node:net'
import { Duplex, finished, PassThrough, pipeline, Readable, Writable } from 'node:stream'
import { pipeline as ends, finished as isFinished } from 'node:stream/promises'
import {
  FrameDecoder,
  FrameEncoder,
  MessageAssembler,
  MessageFragmenter,
  type WebSocketStream
} from '../../../lib/index.js'
import { same } from './same.js'

export async function wires(socket: Socket, ws: WebSocketStream): Promise<void> {
  const readWrite: NodeJS.ReadWriteStream = ws
  const wire: Socket = socket.pipe(ws).pipe(socket)
  const attached: WebSocketStream = ws.attach(socket)
  await ends(socket, ws, socket)
  await isFinished(ws)
  pipeline(socket, ws, socket, error => same<typeof error, NodeJS.ErrnoException | null>(true))
  finished(ws, () => {})
  const chunk: Buffer | string = await Readable.from(ws).read()
  await once(ws, 'open')
  // @ts-expect-error a wire is a Node stream
  ws.attach(new TransformStream())
  void [readWrite, wire, attached, chunk]
}

export async function messages(ws: WebSocketStream): Promise<void> {
  const duplex: Duplex = ws.messages
  const readable: Readable = ws.messages
  const writable: Writable = ws.messages
  const readWrite: NodeJS.ReadWriteStream = ws.messages
  const echo: Duplex = ws.messages.pipe(ws.messages)
  await ends(ws.messages, ws.messages)
  await ends(Readable.from(['one', Buffer.from('two')]), ws.messages)
  await ends(['one', 'two'], ws.messages)
  await ends(async function* () {
    yield 'one'
  }, ws.messages)
  await ends(ws.messages, new PassThrough({ objectMode: true }), ws.messages)
  await ends(ws.messages, async source => {
    for await (const message of source) console.log(message)
  })
  await isFinished(ws.messages)
  for await (const message of ws.messages) console.log(message)
  ws.messages.write('text')
  ws.messages.write(new Uint8Array(1), () => {})
  ws.messages.write(new DataView(new ArrayBuffer(1)))
  ws.messages.end(new ArrayBuffer(1))
  ws.messages.end(() => {})
  void [duplex, readable, writable, readWrite, echo]
}

export function web(ws: WebSocketStream): unknown[] {
  const pair = Duplex.toWeb(ws.messages)
  return [pair.readable, pair.writable, Readable.toWeb(ws.messages), Writable.toWeb(ws.messages)]
}

export function stages(socket: Socket): void {
  const batches = new PassThrough({ objectMode: true })
  socket
    .pipe(new FrameDecoder({ role: 'server' }))
    .pipe(batches)
    .pipe(new MessageAssembler())
    .pipe(new MessageFragmenter({ fragmentSize: 1000 }))
    .pipe(new FrameEncoder({ role: 'server' }))
    .pipe(socket)
  const duplex: Duplex = new FrameDecoder({ role: 'client' })
  // @ts-expect-error no such role
  new FrameEncoder({ role: 'peer' })
  void duplex
}
