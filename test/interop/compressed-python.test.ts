// Our permessage-deflate against that of Python's `websockets`, in both roles. It passes windows of 8 on to zlib, which
// does not support them, so its windows begin at 9.

import { createServer } from 'node:http'
import { connect } from 'node:net'
import t from 'tap'
import { WebSocketStream } from '../../lib/index.js'
import { noise } from '../extensions/codecs.js'
import { Inbox } from '../support/inbox.js'
import { findPython, needPeer, startPeer } from '../support/peers.js'
import {
  type Agreed,
  BITS,
  combinations,
  converse,
  differences,
  type Echo,
  endWith,
  extensionFor,
  json,
  ourOptions,
  type Sent,
  WILLING,
  windows
} from './compressed-talk.js'
import { listenOnLoopback } from './our-side.js'
import { pathTo } from './python-peers.js'

const python = needPeer(t, findPython('websockets'), 'python3-websockets')
const start = <Line>(t: Parameters<typeof startPeer>[0], ...args: string[]) =>
  startPeer<Line>(t, python!, ['-B', pathTo('compressed_peer.py'), ...args])

const SIZES = [1, 126, 16_385, 32_769, 65_536, 300_000]
const MESSAGES = SIZES.flatMap((size, i): Sent[] => [
  { data: json(size), way: i % 2 === 0 ? 'in pieces' : 'whole' },
  { data: noise(size), way: i % 2 === 0 ? 'whole' : 'in pieces' }
])

if (python !== undefined) {
  for (const [what, all] of combinations(windows(BITS.slice(1), 'some'))) {
    for (const asks of ['they', 'we'] as const) {
      const theirs = (agreed: Agreed): object => (asks === 'they' ? agreed : {})

      t.test(`windows as ${asks} request them, ${what}, with us as server`, { timeout: 60_000 }, async t => {
        const connections = new Inbox<WebSocketStream>()
        const http = createServer()
        http.on('upgrade', (request, socket, head) => {
          const options = asks === 'they' ? WILLING : ourOptions('server', all[Number(request.url!.slice(1))]!)
          const ws = WebSocketStream.http(request, head, { extensions: [extensionFor(options)] })
          connections.put(endWith(t, ws).attach(socket))
        })
        const port = await listenOnLoopback(t, http)
        const peer = start<Echo>(t, 'connect', JSON.stringify(all.map(theirs)), String(port))
        const wrong: string[] = []
        for (const agreed of all) {
          const ours = (await Promise.race([connections.take(), peer.ended]))!
          if (typeof ours === 'number') throw new Error(`the client ended with ${ours}`)
          wrong.push(...(await converse({ ours, theirs: () => peer.next() }, agreed, true)))
        }
        t.strictSame(wrong, [])
        t.equal(await peer.ended, 0)
      })

      t.test(`windows as ${asks} request them, ${what}, with us as client`, { timeout: 60_000 }, async t => {
        const peer = start<Echo & { ports: number[] }>(t, 'serve', JSON.stringify(all.map(theirs)))
        const { ports } = await peer.next()
        const wrong: string[] = []
        for (const [i, agreed] of all.entries()) {
          const options = asks === 'they' ? WILLING : ourOptions('client', agreed)
          const ours = WebSocketStream.client(`ws://127.0.0.1:${ports[i]}/`, { extensions: [extensionFor(options)] })
          endWith(t, ours).attach(connect({ port: ports[i]!, host: '127.0.0.1' }))
          wrong.push(...(await converse({ ours, theirs: () => peer.next() }, agreed, true)))
        }
        t.strictSame(wrong, [])
      })
    }
  }

  t.test('messages of 1 B to 300,000 B', async t => {
    const peer = start<Echo & { ports: number[] }>(t, 'serve', '[{}]')
    const [port] = (await peer.next()).ports
    const ours = WebSocketStream.client(`ws://127.0.0.1:${port}/`, { extensions: [extensionFor({})] })
    endWith(t, ours).attach(connect({ port: port!, host: '127.0.0.1' }))
    t.strictSame(await differences({ ours, theirs: () => peer.next() }, MESSAGES), [])
    t.ok(ours.stats.compressionSent > 1.5 && ours.stats.compressionReceived > 1.5)
  })
}
