// Run as a process: peers that break the rules, connections without listeners. Reports how each one ended, and that this
// process is still alive after all of them.

import { WebSocketStream } from '../../lib/index.js'
import { answerHead, RawPeer, requestHead } from '../support/raw-peer.js'
import { joinTo, tcpPair } from './sides.js'

const nobody = { teardown: () => {} }
const JOINS = ['attach', 'pipe'] as const

for (const join of JOINS) {
  for (const role of ['server', 'client'] as const) {
    const { ws, peer } = await opened(join, role)
    peer.send(3)
    await peer.ended()
    peer.end()
    report(join, role, (await ws.whenClosed()).code)
  }
}

for (const join of JOINS) {
  const [ours, theirs] = await tcpPair(nobody, false)
  const ws = WebSocketStream.server()
  joinTo(ws, ours, join)
  const peer = new RawPeer(theirs, 'client')
  peer.write(Buffer.from('garbage\r\n\r\n'))
  await peer.ended()
  peer.end()
  report(join, 'refused', (await ws.whenClosed()).code)
}

for (const join of JOINS) {
  const { ws, peer } = await opened(join, 'server')
  peer.reset()
  report(join, 'reset', (await ws.whenClosed()).code)
}

for (const join of JOINS) {
  const { ws } = await opened(join, 'server')
  ws.destroy(new Error('the application has had enough'))
  report(join, 'destroyed', (await ws.whenClosed()).code)
}

process.disconnect()

async function opened(join: 'attach' | 'pipe', role: 'server' | 'client') {
  const [ours, theirs] = await tcpPair(nobody, role === 'client')
  const ws = role === 'client' ? WebSocketStream.client('ws://example.com/') : WebSocketStream.server()
  joinTo(ws, ours, join)
  const peer = new RawPeer(theirs, role === 'client' ? 'server' : 'client')
  if (role === 'server') peer.write(requestHead())
  const head = await peer.head()
  if (role === 'client') peer.write(answerHead(head))
  return { ws, peer }
}

function report(...line: unknown[]): void {
  process.send!(line)
}
