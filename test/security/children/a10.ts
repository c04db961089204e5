// Run as a process: bytes of memory for each byte on the wire, in a message that does not end.

import { WebSocketStream } from '../../../lib/index.js'
import { BINARY, TEXT, wireFrame } from '../../support/raw-peer.js'
import { requestWith } from '../support.js'
import { kept, say } from './measure.js'

const none = Number.POSITIVE_INFINITY
const COUNT = 300_000

function server(): WebSocketStream {
  const ws = WebSocketStream.server({ maxFragments: none })
  ws.on('message', () => {})
  ws.resume()
  ws.write(requestWith())
  return ws
}

async function held(bytes: number, send: (ws: WebSocketStream) => void): Promise<number> {
  const grown = await kept(async () => {
    const ws = server()
    await ws.opened
    send(ws)
    return ws
  })
  return grown / bytes
}

function fragments(payload: string): Promise<number> {
  const some = Buffer.concat(
    Array.from({ length: 1000 }, () => wireFrame(0, payload, { masked: true, fin: false, declared: payload.length }))
  )
  return held((COUNT / 1000) * some.length, ws => {
    ws.write(wireFrame(TEXT, payload, { masked: true, fin: false }))
    for (let i = 0; i < COUNT; i += 1000) ws.write(Buffer.from(some))
  })
}

function drip(opcode: number): Promise<number> {
  return held(COUNT, ws => {
    ws.write(wireFrame(opcode, '', { masked: true, declared: COUNT + 1 }))
    for (let i = 0; i < COUNT; i++) ws.write(Buffer.from([i & 0x7f]))
  })
}

await fragments('a')
await drip(TEXT)
const results: Record<string, number> = {
  'empty fragments': await fragments(''),
  'fragments of one byte': await fragments('a'),
  'text, a byte at a time': await drip(TEXT),
  'binary, a byte at a time': await drip(BINARY)
}
results['naive'] = (await kept(() => Array.from({ length: COUNT }, (_, i) => Buffer.from([i & 0x7f])))) / COUNT
say(results)
