// Run as a process: the memory that hundreds of small messages keep alive, each of which came in a chunk of 64 KiB.

import type { WebSocketStream } from '../../../lib/index.js'
import { answerHead, BINARY, PING, type RawPeer, TEXT, wireFrame } from '../../support/raw-peer.js'
import { greet, requestWith, turn } from '../support.js'
import { kept, nobody, say } from './measure.js'

const COUNT = 300
const FILLER = 65000

type Shape = (masked: boolean) => Buffer
type Keep = (ws: WebSocketStream, list: unknown[]) => void

const bytes = Buffer.from('small')
const filler = (masked: boolean): Buffer => wireFrame(BINARY, Buffer.alloc(FILLER), { masked })

const SHAPES: Record<string, [shape: Shape, keep: Keep]> = {
  binary: [
    m => wireFrame(BINARY, bytes, { masked: m }),
    (ws, list) => ws.on('message', m => m.length < 10 && list.push(m))
  ],
  text: [
    m => wireFrame(TEXT, bytes, { masked: m }),
    (ws, list) => ws.on('message', m => m.length < 10 && list.push(m))
  ],
  fragments: [
    m => Buffer.concat([wireFrame(BINARY, bytes, { masked: m, fin: false }), wireFrame(0, bytes, { masked: m })]),
    (ws, list) => ws.on('message', m => m.length < 20 && list.push(m))
  ],
  pings: [
    m => wireFrame(PING, bytes, { masked: m }),
    (ws, list) => {
      ws.on('message', () => {})
      ws.on('ping', payload => list.push(payload))
    }
  ]
}

async function joined(role: 'server' | 'client'): Promise<{ ws: WebSocketStream; peer: RawPeer }> {
  const { ws, peer } = await greet(nobody, role)
  peer.write(role === 'server' ? requestWith() : answerHead(await peer.head()))
  await ws.opened
  return { ws, peer }
}

async function collect(role: 'server' | 'client', shape: Shape, keep: Keep): Promise<unknown[]> {
  const { ws, peer } = await joined(role)
  const list: unknown[] = []
  keep(ws, list)
  const masked = role === 'server'
  for (let i = 0; i < COUNT; i++) {
    peer.stream.write(Buffer.concat([shape(masked), filler(masked)]))
    while (list.length <= i) await turn()
  }
  ws.destroy()
  await ws.whenClosed()
  return list
}

const results: Record<string, number> = {}
for (const role of ['server', 'client'] as const) {
  for (const [name, [shape, keep]] of Object.entries(SHAPES)) {
    results[`${role}, ${name}`] = await kept(() => collect(role, shape, keep))
  }
}
results['control'] = await kept(() => Array.from({ length: COUNT }, () => Buffer.alloc(FILLER).subarray(0, 5)))
say(results)
