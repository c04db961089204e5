// The checks of one connection with a peer, which echoes, and obeys texts that begin with `interop:`. Each check
// takes our side of an open connection and the peer's report on it, and throws if something is wrong.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { CloseInfo, Message, WebSocketStream } from '../../../lib/index.js'
import type { ScriptMessage } from '../script.js'
import { BURST, MESSAGES } from './messages.js'

export const OFFERED = ['first.choice', 'second.choice']
export const PROTOCOL = 'second.choice'

/** A peer's report on a connection that has ended. A field is missing if the peer cannot know it. */
export interface PeerReport {
  path: string
  protocol?: string
  code?: number
  reason?: string
}

/** One connection under test. */
export interface Talk {
  ws: WebSocketStream
  /** The next message from the peer. */
  next(): Promise<Message>
  /** The peer's report on this connection. */
  report(): Promise<PeerReport>
}

export interface Check {
  /** The heading of its column. */
  title: string
  /** Whether permessage-deflate is offered and accepted, and with which parameters. */
  compression?: 'with context' | 'without context'
  run(talk: Talk): Promise<void>
}

/** In seconds. */
const CLOSE_PATIENCE = 3
const OUR_CODE = 3001
const OUR_REASON = 'all said – schöne Grüße'
const THEIR_CODE = 3000
const THEIR_REASON = 'genug – 世界'

export const CHECKS = {
  handshake: { title: 'subprotocol', run: chooseProtocol },
  messages: { title: 'messages', run: echoAll },
  fragments: { title: 'our fragments', run: sendFragments },
  pieces: { title: 'their fragments', run: takeFragments },
  pings: { title: 'our pings', run: sendPings },
  pongs: { title: 'their pings', run: takePings },
  closing: { title: 'we close', run: close },
  closed: { title: 'they close', run: beClosed },
  deflate: { title: 'compression', compression: 'with context', run: compress },
  plainer: { title: 'without context', compression: 'without context', run: compressWithoutContext }
} as const satisfies Record<string, Check>

export type CheckName = keyof typeof CHECKS
export const CHECK_NAMES = Object.keys(CHECKS) as CheckName[]

async function chooseProtocol(talk: Talk): Promise<void> {
  assert.equal(talk.ws.protocol, PROTOCOL, 'the subprotocol on our side')
  await endInPeace(talk)
  const { protocol = PROTOCOL } = await talk.report()
  assert.equal(protocol, PROTOCOL, 'the subprotocol on their side')
}

async function echoAll(talk: Talk): Promise<void> {
  for (const message of MESSAGES) await echo(talk, message)
  for (const message of BURST) send(talk, message)
  for (const message of BURST) await expectEcho(talk, message, 'right behind others')
  await endInPeace(talk)
}

async function sendFragments(talk: Talk): Promise<void> {
  for (const message of MESSAGES) {
    const pong = await sendInPieces(talk, message)
    await expectEcho(talk, message, 'in fragments')
    await pong
  }
  await endInPeace(talk)
}

/** RFC 6455 §5.4: fragments that split characters, with a Ping between them. */
async function sendInPieces({ ws }: Talk, { kind, data, cuts }: ScriptMessage): Promise<Promise<unknown>> {
  const writer = ws.createMessage(kind)
  const ends = [...cuts, data.length]
  writer.write(data.subarray(0, ends[0]))
  const pong = ws.ping()
  ends.slice(1).forEach((end, i) => {
    writer.write(data.subarray(ends[i], end))
  })
  writer.end()
  return pong
}

async function takeFragments(talk: Talk): Promise<void> {
  for (const message of MESSAGES.filter(({ data }) => data.length === 65536)) {
    talk.ws.text('interop:pieces')
    const before = talk.ws.stats.framesReceived
    await echo(talk, message)
    const frames = talk.ws.stats.framesReceived - before
    assert.ok(frames > 1, `${message.name} came back in ${frames} frame`)
  }
  await endInPeace(talk)
}

async function sendPings(talk: Talk): Promise<void> {
  for (const payload of ['', 'hello', Buffer.alloc(125, 0xf0)]) await talk.ws.ping(payload)
  // a Ping that arrives while a message is on its way back
  const long = MESSAGES.at(-1)!
  send(talk, long)
  const pong = talk.ws.ping('behind it')
  await expectEcho(talk, long, 'before a Ping')
  await pong
  await endInPeace(talk)
}

async function takePings(talk: Talk): Promise<void> {
  const payload = 'p'.repeat(100)
  const pinged = once(talk.ws, 'ping')
  talk.ws.text(`interop:ping ${payload}`)
  const [seen] = (await pinged) as [Buffer]
  const answer = await talk.next()
  assert.match(String(answer), /^interop:pong/)
  // some number their pings themselves, and allow no other payload
  const told = String(answer).slice('interop:pong '.length)
  if (told !== '') assert.equal(told, seen.toString(), 'the payload that they were answered with')
  await endInPeace(talk)
}

async function close(talk: Talk): Promise<void> {
  await echo(talk, MESSAGES[3]!)
  talk.ws.close(OUR_CODE, OUR_REASON)
  const info = await closing(talk.ws)
  expectClean(info, 'local')
  const { code = OUR_CODE, reason = OUR_REASON } = await talk.report()
  const complaints: string[] = []
  if (code !== OUR_CODE || reason !== OUR_REASON) complaints.push(`they saw ${code} '${reason}'`)
  if (info.code !== OUR_CODE) complaints.push(`their answer to our close has the code ${info.code}`)
  else if (info.reason !== OUR_REASON) complaints.push(`their answer to our close has the reason '${info.reason}'`)
  assert.ok(complaints.length === 0, complaints.join(', and '))
}

async function beClosed(talk: Talk): Promise<void> {
  await echo(talk, MESSAGES[3]!)
  talk.ws.text(`interop:close ${THEIR_CODE} ${THEIR_REASON}`)
  const info = await closing(talk.ws)
  expectClean(info, 'peer')
  assert.equal(info.code, THEIR_CODE, `their close has the code ${info.code}`)
  assert.equal(info.reason, THEIR_REASON, `their close has the reason '${info.reason}'`)
  const { code = THEIR_CODE } = await talk.report()
  assert.equal(code, THEIR_CODE, `they saw ${code} in our answer`)
}

async function compress(talk: Talk): Promise<void> {
  assert.match(talk.ws.extensions, /^permessage-deflate/, 'compression was not agreed on')
  await echoAll(talk)
  const ratio = talk.ws.stats.compressionReceived
  assert.ok(ratio > 2, 'they inflate, and send uncompressed')
}

async function compressWithoutContext(talk: Talk): Promise<void> {
  const { extensions } = talk.ws
  assert.match(extensions, /^permessage-deflate/, 'compression was not agreed on')
  for (const name of ['server_no_context_takeover', 'client_no_context_takeover']) {
    assert.ok(extensions.includes(name), `agreed on: ${extensions}`)
  }
  await sendFragments(talk)
}

async function endInPeace({ ws }: Talk): Promise<void> {
  ws.close(1000)
  expectClean(await closing(ws), 'local')
}

/** RFC 6455 §7.1.1: the server ends the wire when both Close frames have been sent, and lets nobody wait. */
async function closing(ws: WebSocketStream): Promise<CloseInfo> {
  const began = performance.now()
  const info = await ws.whenClosed()
  const took = Math.round((performance.now() - began) / 1000)
  assert.ok(took < CLOSE_PATIENCE, `the wire was still there ${took} s after the closing handshake`)
  return info
}

function expectClean({ code, wasClean, initiator }: CloseInfo, who: CloseInfo['initiator']): void {
  assert.ok(wasClean, `the closing handshake was not finished: ${code}`)
  assert.equal(initiator, who, 'who began to close')
}

async function echo(talk: Talk, message: ScriptMessage): Promise<void> {
  send(talk, message)
  await expectEcho(talk, message, 'whole')
}

function send({ ws }: Talk, { kind, data }: ScriptMessage): void {
  if (kind === 'text') ws.text(Buffer.from(data).toString())
  else ws.binary(data)
}

async function expectEcho({ next }: Talk, { name, kind, data }: ScriptMessage, how: string): Promise<void> {
  const answer = await next()
  const cameAs = typeof answer === 'string' ? 'text' : 'binary'
  assert.equal(cameAs, kind, `${name}, sent ${how}, came back as ${cameAs}`)
  const bytes = Buffer.from(answer as string)
  assert.ok(bytes.equals(data), `${name}, sent ${how}, came back other than it was, ${bytes.length} bytes long`)
}
