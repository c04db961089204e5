// Our permessage-deflate against that of npm's `ws`, in both roles: every combination of windows and of context takeover, requested
// by either side, and messages from one byte to 16 MiB.

import { createServer } from 'node:http'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { type PerMessageDeflateOptions, WebSocket, WebSocketServer } from 'ws'
import { type PermessageDeflateOptions, WebSocketStream } from '../../lib/index.js'
import { noise } from '../extensions/codecs.js'
import {
  type Agreed,
  AT_PEACE,
  BITS,
  combinations,
  conversation,
  converse,
  type Echo,
  endWith,
  extensionFor,
  json,
  type Met,
  ourOptions,
  parameters,
  play,
  type Sent,
  together,
  WILLING,
  windows
} from './compressed-talk.js'
import { listenOnLoopback } from './our-side.js'
import { echo } from './peers/compressed-ws.js'

type Role = 'server' | 'client'

/** Connects our side, in this role, to ws in the other. */
type Meet = (ours: PermessageDeflateOptions, theirs: PerMessageDeflateOptions) => Promise<Met>

const SIZES = [1, 2, 125, 126, 16_383, 16_385, 32_767, 32_769, 65_535, 65_536, 65_537, 300_000]

for (const role of ['server', 'client'] as const) {
  const meeting = role === 'server' ? meetAsServer : meetAsClient

  for (const [what, all] of combinations(windows(BITS, 'all'))) {
    t.test(`all windows as ws requests them, ${what}, with us as ${role}`, { timeout: 60_000 }, async t => {
      const meet = await meeting(t)
      const wrong = await together(all, async agreed => {
        // zlib cannot compress with a window of 8, so a server declines to; ws does not mind
        const mustAgree = role === 'client' || agreed.serverBits > 8
        const met = await meet(WILLING, theirOptions(agreed))
        const faults = await converse(met, agreed, mustAgree)
        const said = parameters(met.ours)
        const missing = mustAgree ? expected(agreed, role).filter(parameter => !said.has(parameter)) : []
        return [...faults, ...missing.map(parameter => `no ${parameter}`)]
      })
      t.strictSame(wrong, [])
    })
  }

  for (const [what, all] of combinations(windows(BITS, 'some'))) {
    t.test(`windows as we request them, ${what}, with us as ${role}`, { timeout: 60_000 }, async t => {
      const meet = await meeting(t)
      const wrong = await together(all, async agreed =>
        converse(await meet(ourOptions(role, agreed), {}), agreed, true)
      )
      t.strictSame(wrong, [])
    })
  }

  t.test(`messages of 1 B to 16 MiB, with us as ${role}`, { timeout: 60_000 }, async t => {
    const meet = await meeting(t)
    const list = SIZES.flatMap((size, i): Sent[] => [
      { data: json(size), way: i % 2 === 0 ? 'whole' : 'in pieces' },
      { data: noise(size), way: i % 3 === 0 ? 'in pieces' : 'whole' }
    ])
    const large: Sent = { data: role === 'server' ? noise(2 ** 24) : json(2 ** 24), way: 'whole' }
    const { ours, theirs } = await meet({}, {})
    t.match(await play(ours, [...list, large, ...list]), AT_PEACE)
    t.strictSame((await theirs()).errors, [])
  })

  t.test(`repetitive messages become small in both directions, with us as ${role}`, async t => {
    const meet = await meeting(t)
    const { ours } = await meet({}, {})
    const list = Array.from({ length: 40 }, (): Sent => ({ data: json(1000), way: 'whole' }))
    t.match(await play(ours, list), AT_PEACE)
    t.ok(ours.stats.compressionSent > 20, `${ours.stats.compressionSent} times`)
    // a quarter of their messages is not compressed
    t.ok(ours.stats.compressionReceived > 3, `${ours.stats.compressionReceived} times`)
  })

  t.test(`messages below and above a threshold of either side, with us as ${role}`, async t => {
    const meet = await meeting(t)
    const agreed = { serverBits: 12, clientBits: 12, serverTakeover: false, clientTakeover: false }
    const { ours, theirs } = await meet(
      { ...ourOptions(role, agreed), threshold: 500 },
      { ...theirOptions(agreed), threshold: 900 }
    )
    t.match(await play(ours, conversation(12)), AT_PEACE)
    t.strictSame((await theirs()).errors, [])
  })

  t.test(`a window of 8, which zlib cannot compress with, with us as ${role}`, async t => {
    const meet = await meeting(t)
    const agreed = { serverBits: 8, clientBits: 8, serverTakeover: true, clientTakeover: true }
    const { ours } = await meet(WILLING, theirOptions(agreed))
    t.match(await play(ours, conversation(9)), AT_PEACE)
    if (role === 'server') t.equal(ours.extensions, '', 'an offer that asks for it is declined')
    else t.equal(ours.stats.compressionSent, 1, 'everything leaves as it is')
  })
}

async function meetAsServer(t: Test): Promise<Meet> {
  const http = createServer()
  const port = await listenOnLoopback(t, http)
  const waiting = new Map<string, (ws: WebSocketStream) => void>()
  http.on('upgrade', (request, socket, head) => {
    const extensions = [extensionFor(JSON.parse(request.headers['x-ours'] as string))]
    const ws = endWith(t, WebSocketStream.http(request, head, { extensions }))
    waiting.get(request.url!)!(ws.attach(socket))
  })
  let count = 0
  return async (options, theirOptions) => {
    const path = `/${count++}`
    const upgraded = new Promise<WebSocketStream>(resolve => waiting.set(path, resolve))
    const perMessageDeflate = { threshold: 0, ...theirOptions }
    const headers = { 'x-ours': JSON.stringify(options) }
    const seen = echo(new WebSocket(`ws://127.0.0.1:${port}${path}`, { perMessageDeflate, headers }), count)
    return { ours: await upgraded, theirs: () => seen }
  }
}

async function meetAsClient(t: Test): Promise<Meet> {
  // a server of ws responds the same to every client
  const servers = new Map<string, Promise<{ server: WebSocketServer; port: number }>>()
  const serve = async (theirs: PerMessageDeflateOptions) => {
    const http = createServer()
    const server = new WebSocketServer({ server: http, perMessageDeflate: { threshold: 0, ...theirs } })
    return { server, port: await listenOnLoopback(t, http) }
  }
  let count = 0
  return async (options, theirOptions) => {
    const key = JSON.stringify(theirOptions)
    if (!servers.has(key)) servers.set(key, serve(theirOptions))
    const { server, port } = await servers.get(key)!
    const path = `/${count++}`
    const accepted = new Promise<Echo>(resolve => {
      server.on('connection', function take(socket, { url }) {
        if (url !== path) return
        server.off('connection', take)
        resolve(echo(socket, count))
      })
    })
    const ours = WebSocketStream.client(`ws://127.0.0.1:${port}${path}`, { extensions: [extensionFor(options)] })
    endWith(t, ours).attach(connect({ port, host: '127.0.0.1' }))
    const seen = await accepted
    return { ours, theirs: () => seen }
  }
}

function theirOptions({ serverBits, clientBits, serverTakeover, clientTakeover }: Agreed): PerMessageDeflateOptions {
  return {
    serverMaxWindowBits: serverBits,
    clientMaxWindowBits: clientBits,
    serverNoContextTakeover: !serverTakeover,
    clientNoContextTakeover: !clientTakeover
  }
}

/** The parameters of the response if ws requests everything. */
function expected({ serverBits, clientBits, serverTakeover, clientTakeover }: Agreed, role: Role): string[] {
  return [
    ...(serverTakeover ? [] : ['server_no_context_takeover']),
    ...(clientTakeover ? [] : ['client_no_context_takeover']),
    `server_max_window_bits=${serverBits}`,
    // 15 applies if we request nothing
    ...(role === 'server' && clientBits === 15 ? [] : [`client_max_window_bits=${clientBits}`])
  ]
}
