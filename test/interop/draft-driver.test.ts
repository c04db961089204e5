// npm's `websocket-driver` as a server beside ours: both get the same bytes of hixie-75 and hixie-76, and must send the
// same bytes and read the same messages.

import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { createRequire } from 'node:module'
import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import t from 'tap'
import { WebSocketStream } from '../../lib/index.js'
import { CLOSE_76, ended, measured } from '../support/draft-frames.js'
import { BODY, request75, request76 } from '../support/draft-requests.js'
import { byteByByte, cut } from '../support/frames.js'
import { pair } from '../support/pair.js'
import type { TestLike } from '../support/peers.js'
import { RawPeer } from '../support/raw-peer.js'
import { listenOnLoopback } from './our-side.js'

/** The part of `websocket-driver` that is used here; it has no types. */
interface Driver {
  version: string
  io: Duplex
  on(event: 'connect' | 'close', listener: () => void): void
  on(event: 'message', listener: (event: { data: string }) => void): void
  start(): boolean
  text(message: string): boolean
}

interface DriverModule {
  server(options: { allowDrafts: boolean }): Driver
  http(request: IncomingMessage, options: { allowDrafts: boolean }): Driver
}

const websocketDriver = createRequire(import.meta.url)('websocket-driver') as DriverModule

/** What a server did with a recording. */
interface Outcome {
  version: string
  bytes: string
  messages: string[]
}

interface Recording {
  says: string
  version: 'hixie-75' | 'hixie-76'
  head: Buffer
  frames: Buffer[]
}

const LONG = 'zß€😀'.repeat(1000)

const FRAMES: Record<string, Buffer[]> = {
  'no frames': [],
  'one message': [ended('Hello')],
  'messages of all kinds of characters': ['', 'a', 'ü', '€', '😀', '\0', 'a\0b', '\u007f\u0080'].map(said =>
    ended(said)
  ),
  'long messages': [ended(LONG), ended('x'.repeat(70_000))],
  'skipped frames between messages': [
    ended('a'),
    measured(0x80, 'skipped'),
    ended('b'),
    measured(0x90, Buffer.alloc(300, Buffer.from([0x00, 0x61, 0xff]))),
    ended('c'),
    measured(0xfe, '', 3),
    ended('d')
  ]
}

const RECORDINGS: Recording[] = Object.entries(FRAMES).flatMap(([says, frames]): Recording[] => [
  { says, version: 'hixie-75', head: request75(), frames },
  { says, version: 'hixie-76', head: Buffer.concat([request76(), BODY]), frames: [...frames, CLOSE_76] }
])

const SPLITS: Record<string, (recording: Recording) => Buffer[]> = {
  'all at once': ({ head, frames }) => [Buffer.concat([head, ...frames])],
  'head and frames apart': ({ head, frames }) => [head, ...frames],
  'the body late, and in two': ({ head, frames }) => [...cut(head, head.length - 8, head.length - 3), ...frames],
  'the end of the body with the first frames': ({ head, frames }) => [
    head.subarray(0, -3),
    Buffer.concat([head.subarray(-3), ...frames])
  ],
  'byte by byte': ({ head, frames }) => byteByByte(Buffer.concat([head, ...frames]))
}

/** In one process, without a wire. */
function askDriver(chunks: Buffer[]): Outcome {
  const driver = websocketDriver.server({ allowDrafts: true })
  const bytes: Buffer[] = []
  const messages: string[] = []
  driver.on('connect', () => driver.start())
  driver.on('message', ({ data }) => {
    messages.push(data)
    driver.text(data)
  })
  driver.io.on('data', (chunk: Buffer) => bytes.push(chunk))
  for (const chunk of chunks) driver.io.write(chunk)
  return { version: driver.version, bytes: Buffer.concat(bytes).toString('latin1'), messages }
}

async function askOurs(t: TestLike, chunks: Buffer[]): Promise<Outcome> {
  const [ours, theirs] = pair()
  t.teardown(() => ours.destroy())
  const ws = WebSocketStream.server({ allowDrafts: true })
  ws.attach(ours)
  const messages = echo(ws)
  const bytes = await speak(theirs, chunks)
  const { wasClean, initiator } = await ws.whenClosed()
  if (!wasClean || initiator !== 'peer') messages.push('and not closed cleanly by the peer')
  return { version: ws.version, bytes, messages }
}

function echo(ws: WebSocketStream): string[] {
  const messages: string[] = []
  ws.on('message', message => {
    messages.push(String(message))
    ws.text(String(message))
  })
  return messages
}

/** Sends all of it, ends, and waits for the other side's end. */
async function speak(wire: Duplex, chunks: Buffer[]): Promise<string> {
  const peer = new RawPeer(wire, 'client')
  for (const chunk of chunks) peer.write(chunk)
  peer.end()
  return (await peer.rest()).toString('latin1')
}

for (const recording of RECORDINGS) {
  for (const [split, chunksOf] of Object.entries(SPLITS)) {
    t.test(`${recording.version}, ${recording.says}, ${split}: the same response`, async t => {
      const chunks = chunksOf(recording)
      const [ours, theirs] = [await askOurs(t, chunks), askDriver(chunks)]
      t.equal(theirs.version, recording.version)
      t.same(ours, theirs)
    })
  }
}

const HEADS: [string, Record<string, string | null>][] = [
  ['no Origin', { Origin: null }],
  ['Origin null', { Origin: 'null' }],
  ['the port that goes without saying', { Host: 'example.com' }],
  ['Upgrade and Connection in other words', { Upgrade: 'websocket', Connection: 'keep-alive, Upgrade' }],
  ['cookies', { Cookie: 'a=b; c=d' }]
]

for (const [says, changes] of HEADS) {
  t.test(`a request with ${says} gets the same head`, async t => {
    for (const chunks of [[request75(changes)], [request76(changes), BODY, CLOSE_76]]) {
      t.same(await askOurs(t, chunks), askDriver(chunks))
    }
  })
}

t.test('behind node:http, both respond the same on a socket', async t => {
  const outcomes: Outcome[] = []
  const driverServer = createServer().on('upgrade', (request, socket: Socket, head: Buffer) => {
    const driver = websocketDriver.http(request, { allowDrafts: true })
    const outcome: Outcome = { version: driver.version, bytes: '', messages: [] }
    driver.on('message', ({ data }) => {
      outcome.messages.push(data)
      driver.text(data)
    })
    driver.on('close', () => socket.end())
    socket.on('end', () => socket.end())
    driver.io.write(head)
    socket.pipe(driver.io).pipe(socket)
    driver.start()
    outcomes.push(outcome)
  })
  const ourServer = createServer().on('upgrade', (request, socket: Socket, head: Buffer) => {
    const ws = WebSocketStream.http(request, head, { allowDrafts: true })
    ws.attach(socket)
    const outcome: Outcome = { version: '', bytes: '', messages: echo(ws) }
    ws.on('open', ({ version }) => {
      outcome.version = version
    })
    outcomes.push(outcome)
  })
  const ports = [await listenOnLoopback(t, driverServer), await listenOnLoopback(t, ourServer)]
  for (const recording of RECORDINGS) {
    for (const split of ['all at once', 'head and frames apart', 'the body late, and in two']) {
      const [theirs, ours] = await Promise.all(
        ports.map(async port => {
          const socket = connect({ port, host: '127.0.0.1', noDelay: true })
          await once(socket, 'connect')
          return speak(socket, SPLITS[split]!(recording))
        })
      )
      t.equal(ours, theirs, `${recording.version}, ${recording.says}, ${split}`)
      const [a, b] = outcomes.splice(0)
      t.same(a, b, 'the same messages')
      t.equal(a!.version, recording.version)
    }
  }
})
