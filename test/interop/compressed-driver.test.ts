// Our permessage-deflate against npm's `permessage-deflate` under `websocket-driver`, in both roles.

import { createServer, type IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import t, { type Test } from 'tap'
import { type PermessageDeflateOptions, WebSocketStream } from '../../lib/index.js'
import { noise } from '../extensions/codecs.js'
import {
  type Agreed,
  AT_PEACE,
  BITS,
  combinations,
  converse,
  type Echo,
  endWith,
  extensionFor,
  json,
  type Met,
  ourOptions,
  play,
  type Sent,
  together,
  WILLING,
  windows
} from './compressed-talk.js'
import { listenOnLoopback } from './our-side.js'
import { driverOptions, open, serve } from './peers/compressed-driver.js'

type TheirOptions = ReturnType<typeof driverOptions>
type Meet = (ours: PermessageDeflateOptions, theirs: TheirOptions) => Promise<Met>

const SIZES = [1, 125, 126, 16_385, 32_769, 65_535, 65_536, 2 ** 20]

for (const role of ['server', 'client'] as const) {
  const meeting = role === 'server' ? meetAsServer : meetAsClient
  const theirRole = role === 'server' ? 'client' : 'server'

  for (const [what, all] of combinations(windows(BITS, 'some'))) {
    t.test(`windows as the driver requests them, ${what}, with us as ${role}`, { timeout: 60_000 }, async t => {
      const meet = await meeting(t)
      const wrong = await together(all, async (agreed: Agreed) => {
        const mustAgree = role === 'client' || agreed.serverBits > 8
        return converse(await meet(WILLING, driverOptions(theirRole, agreed)), agreed, mustAgree)
      })
      t.strictSame(wrong, [])
    })

    t.test(`windows as we request them, ${what}, with us as ${role}`, { timeout: 60_000 }, async t => {
      const meet = await meeting(t)
      const wrong = await together(all, async agreed =>
        converse(await meet(ourOptions(role, agreed), {}), agreed, true)
      )
      t.strictSame(wrong, [])
    })
  }

  t.test(`messages of 1 B to 1 MiB, with us as ${role}`, async t => {
    const meet = await meeting(t)
    const list = SIZES.flatMap((size, i): Sent[] => [
      { data: json(size), way: i % 2 === 0 ? 'in pieces' : 'whole' },
      { data: noise(size), way: i % 3 === 0 ? 'in pieces' : 'whole' }
    ])
    const { ours, theirs } = await meet({}, {})
    t.match(await play(ours, list), AT_PEACE)
    t.strictSame((await theirs()).errors, [])
    t.ok(ours.stats.compressionSent > 1.5, `${ours.stats.compressionSent} times`)
  })
}

type Take = (request: IncomingMessage, socket: Duplex, head: Buffer) => void

/** An http server that passes each upgrade to the test that waits for its path. */
async function upgrades(t: Test): Promise<{ port: number; take(path: string, take: Take): void }> {
  const waiting = new Map<string, Take>()
  const http = createServer().on('upgrade', (request, socket, head) => {
    waiting.get(request.url!)!(request, socket, head)
  })
  const port = await listenOnLoopback(t, http)
  return { port, take: (path, take) => waiting.set(path, take) }
}

async function meetAsServer(t: Test): Promise<Meet> {
  const { port, take } = await upgrades(t)
  let count = 0
  return async (options, theirOptions) => {
    const path = `/${count++}`
    const upgraded = new Promise<WebSocketStream>(resolve => {
      take(path, (request, socket, head) => {
        const ws = WebSocketStream.http(request, head, { extensions: [extensionFor(options)] })
        resolve(endWith(t, ws).attach(socket))
      })
    })
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    t.teardown(() => socket.destroy())
    const seen = open(`ws://127.0.0.1:${port}${path}`, socket, theirOptions)
    return { ours: await upgraded, theirs: () => seen }
  }
}

async function meetAsClient(t: Test): Promise<Meet> {
  const { port, take } = await upgrades(t)
  let count = 0
  return async (options, theirOptions) => {
    const path = `/${count++}`
    const accepted = new Promise<Echo>(resolve => {
      take(path, (request, socket, head) => resolve(serve(request, socket, head, theirOptions)))
    })
    const ours = WebSocketStream.client(`ws://127.0.0.1:${port}${path}`, { extensions: [extensionFor(options)] })
    endWith(t, ours).attach(connect({ port, host: '127.0.0.1' }))
    const seen = await accepted
    return { ours, theirs: () => seen }
  }
}
