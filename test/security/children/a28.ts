// Run as a process: connections without listeners whose peers break the rules, and the uncaught exceptions.

import { Duplex } from 'node:stream'
import { CLOSE, type RawPeer, TEXT } from '../../support/raw-peer.js'
import { meet, turn, WAYS } from '../support.js'
import { nobody, say } from './measure.js'

const VIOLATIONS: Record<string, (peer: RawPeer) => void> = {
  opcode: peer => void peer.send(3),
  utf8: peer => void peer.send(TEXT, Buffer.from([0xff])),
  size: peer => void peer.send(TEXT, '', { declared: 2 ** 40 }),
  close: peer => void peer.send(CLOSE, 'a'),
  garbage: peer => void peer.write(Buffer.alloc(1000, 0x7f)),
  reset: peer => peer.reset(),
  end: peer => peer.end()
}

const uncaught: string[] = []
const control: string[] = []
let list = uncaught
process.on('uncaughtException', error => list.push(error.message))
process.on('unhandledRejection', error => list.push(String(error)))

const ended: [string, string, number][] = []
for (const way of WAYS) {
  for (const [name, violate] of Object.entries(VIOLATIONS)) {
    const { ws, peer } = await meet(nobody, way, { closeTimeout: 500 }, { reads: name !== 'utf8' })
    ws.removeAllListeners('error')
    if (name === 'utf8') ws.messages.resume()
    violate(peer)
    if (name !== 'reset') void peer.ended().then(() => peer.end())
    ended.push([way, name, (await ws.whenClosed()).code])
  }
}
for (let i = 0; i < 20; i++) await turn()
list = control
new Duplex({ read() {} }).destroy(new Error('nobody listens'))
await turn()
say({ ended, uncaught, control })
