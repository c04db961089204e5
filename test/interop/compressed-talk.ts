// Conversations for connections that compress: messages of every kind are sent in every possible way, the peer echoes them
// in various ways, and the echoes are compared. Knows no peer.

import { setImmediate } from 'node:timers/promises'
import {
  type CloseInfo,
  type PermessageDeflateOptions,
  permessageDeflate,
  type WebSocketStream
} from '../../lib/index.js'
import { noise } from '../extensions/codecs.js'
import { random } from '../support/frames.js'
import { Inbox } from '../support/inbox.js'
import type { TestLike } from '../support/peers.js'

/** How one message is sent. */
export type Way = 'whole' | 'uncompressed' | 'in pieces' | 'in pieces, uncompressed'

export interface Sent {
  data: string | Buffer
  way: Way
}

/** The agreement of two sides: windows of RFC 7692 §7.1.2, and context takeover of each. */
export interface Agreed {
  serverBits: number
  clientBits: number
  serverTakeover: boolean
  clientTakeover: boolean
}

export const BITS = [8, 9, 10, 11, 12, 13, 14, 15]
const TAKEOVER = [true, false]
/** Messages that are sent before their echoes arrive. */
const AHEAD = 5
/** Connections at a time. */
const TOGETHER = 8

/** Both windows, in every combination, or in enough to have each of them small beside large. */
export function windows(bits: readonly number[], which: 'all' | 'some'): [server: number, client: number][] {
  const last = bits.length - 1
  return bits.flatMap((server, i) =>
    bits
      .filter((_, k) => which === 'all' || k === i || k === last - i)
      .map((client): [number, number] => [server, client])
  )
}

/** These windows, with context takeover by both sides, by one, and by none. */
export function combinations(pairs: [server: number, client: number][]): [what: string, all: Agreed[]][] {
  return TAKEOVER.flatMap(serverTakeover =>
    TAKEOVER.map((clientTakeover): [string, Agreed[]] => {
      const who = [serverTakeover && 'the server', clientTakeover && 'the client'].filter(Boolean).join(' and ')
      const all = pairs.map(([serverBits, clientBits]) => ({ serverBits, clientBits, serverTakeover, clientTakeover }))
      return [`context taken over by ${who || 'nobody'}`, all]
    })
  )
}

/** Our options for an agreement, as seen from our side; we never offer a window of 8. */
export function ourOptions(role: 'server' | 'client', agreed: Agreed): PermessageDeflateOptions {
  const { serverBits, clientBits, serverTakeover, clientTakeover } = agreed
  const isServer = role === 'server'
  return {
    windowBits: Math.max(isServer ? serverBits : clientBits, 9),
    peerWindowBits: isServer ? clientBits : serverBits,
    contextTakeover: isServer ? serverTakeover : clientTakeover,
    peerContextTakeover: isServer ? clientTakeover : serverTakeover,
    threshold: (serverBits + clientBits) % 2 === 0 ? 0 : 64
  }
}

/** Allows everything, and requests nothing. */
export const WILLING: PermessageDeflateOptions = { windowBits: 15, peerWindowBits: 15, threshold: 0 }

const extensionsMade = new Map<string, ReturnType<typeof permessageDeflate>>()

/** One extension for all connections with the same options, as in an application. */
export function extensionFor(options: PermessageDeflateOptions): ReturnType<typeof permessageDeflate> {
  const key = JSON.stringify(options)
  let extension = extensionsMade.get(key)
  if (extension === undefined) extensionsMade.set(key, (extension = permessageDeflate(options)))
  return extension
}

/** The parameters of a response, as in our `extensions`. */
export function parameters(ws: WebSocketStream): Set<string> {
  return new Set(
    ws.extensions
      .split(/[;,]/)
      .map(parameter => parameter.trim())
      .filter(parameter => parameter !== '' && parameter !== 'permessage-deflate')
  )
}

/** JSON as applications send it: similar from message to message but not the same, with characters that can be split. */
export function json(size: number, seed = 1): string {
  let text = ''
  for (let id = seed; text.length < size; id++)
    text += `{"id":${id},"name":"ü${(id * 7919) % 1000}","ok":${id % 3 === 0}},`
  return text.slice(0, size)
}

/**
 * Messages that repeat each other over ever larger distances, beyond a window of this many bits: detects a side that refers further back than
 * agreed, or to data that the other side has not kept.
 */
export function conversation(bits: number): Sent[] {
  const far = noise(150, bits)
  const list: Sent[] = [
    { data: 'a', way: 'whole' },
    { data: json(125, 1), way: 'whole' },
    { data: json(125, 1), way: 'in pieces' },
    { data: '', way: 'whole' },
    { data: far, way: 'uncompressed' },
    { data: far, way: 'whole' },
    { data: Buffer.alloc(0), way: 'in pieces' },
    { data: json(3000, 5), way: 'in pieces, uncompressed' },
    { data: json(3000, 5), way: 'in pieces' }
  ]
  for (let size = 400; size < 2 ** (bits + 1); size *= 3) {
    list.push({ data: noise(size, size), way: 'whole' }, { data: far, way: size % 2 === 0 ? 'in pieces' : 'whole' })
  }
  return [...list, { data: json(900, 1), way: 'uncompressed' }, { data: Buffer.from(json(900, 1)), way: 'whole' }]
}

/** Splits bytes at random, even within characters; any piece may be empty. */
export function cutAtRandom(data: string | Uint8Array, next: () => number): Buffer[] {
  const bytes = typeof data === 'string' ? Buffer.from(data) : Buffer.from(data.buffer, data.byteOffset, data.length)
  const cuts = Array.from({ length: 1 + Math.floor(next() * 4) }, () => Math.floor(next() * (bytes.length + 1)))
  const ends = [...cuts.sort((a, b) => a - b), bytes.length]
  return ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end))
}

/** What one side saw of a conversation. */
export interface Outcome {
  /** Messages whose echo differs, in words. */
  faults: string[]
  close: Pick<CloseInfo, 'code' | 'wasClean'>
}

/** Sends the messages, some before their echoes arrive, with pings between the pieces of one; checks the echoes, and closes. */
export async function play(ws: WebSocketStream, list: readonly Sent[], seed = 1): Promise<Outcome> {
  const faults: string[] = []
  const incoming = ws.messages[Symbol.asyncIterator]()
  await ws.opened
  const answered = new Inbox<void>()
  const sending = sendAll(ws, list, random(seed), answered)
  for (const [i, { data, way }] of list.entries()) {
    const { value, done } = await incoming.next()
    if (done) throw new Error(`closed instead of an answer to message ${i}`)
    if (!isSame(value, data)) faults.push(`message ${i}, ${data.length} long, sent ${way}: other than it was`)
    answered.put()
  }
  await sending
  ws.close(1000)
  if (!(await incoming.next()).done) faults.push('a message came behind the last one')
  const { code, wasClean } = await ws.whenClosed()
  return { faults, close: { code, wasClean } }
}

/** Keeps a few messages in flight. Resolves when all are sent and all pings are answered. */
async function sendAll(
  ws: WebSocketStream,
  list: readonly Sent[],
  next: () => number,
  answered: Inbox<void>
): Promise<void> {
  const pings: Promise<number>[] = []
  for (const [i, { data, way }] of list.entries()) {
    if (i >= AHEAD) await answered.take()
    const compress = !way.endsWith('uncompressed')
    if (way.startsWith('in pieces')) await sendPieces(ws, data, compress, next, pings)
    else if (typeof data === 'string') ws.text(data, { compress })
    else ws.binary(data, { compress })
  }
  await Promise.all(pings)
}

async function sendPieces(
  ws: WebSocketStream,
  data: string | Buffer,
  compress: boolean,
  next: () => number,
  pings: Promise<number>[]
): Promise<void> {
  const message = ws.createMessage(typeof data === 'string' ? 'text' : 'binary', { compress })
  for (const piece of cutAtRandom(data, next)) {
    await new Promise(resolve => message.write(piece, resolve))
    // the output of one turn of the event loop leaves together, pings first
    await setImmediate()
    const ping = ws.ping(`behind ${piece.length}`)
    ping.catch(() => {})
    pings.push(ping)
  }
  message.end()
}

function isSame(answer: string | Buffer, sent: string | Buffer): boolean {
  return typeof answer === 'string' || typeof sent === 'string' ? answer === sent : answer.equals(sent)
}

/** The message that ends a conversation. */
export const AT_PEACE = { faults: [], close: { code: 1000, wasClean: true } }

/** What an echoing peer saw. */
export interface Echo {
  pings: number
  pongs: number
  /** All its complaints. */
  errors: string[]
}

/** Our connection to an echoing peer. */
export interface Met {
  ours: WebSocketStream
  /** What the peer has seen so far. */
  theirs(): Echo | Promise<Echo>
}

/** All errors between the two, in words. */
export async function differences({ ours, theirs }: Met, list: readonly Sent[]): Promise<string[]> {
  try {
    const { faults, close } = await play(ours, list)
    if (close.code !== 1000 || !close.wasClean) faults.push(`closed with ${close.code}, clean: ${close.wasClean}`)
    const { pings, pongs, errors } = await theirs()
    if (pongs !== pings) faults.push(`${pongs} answers to ${pings} pings of theirs`)
    return [...faults, ...errors]
  } catch (error) {
    return [String(error), ...(await theirs()).errors]
  }
}

/** Runs `job` for each item, some at a time, and gathers the errors. */
export async function together(all: readonly Agreed[], job: (agreed: Agreed) => Promise<string[]>): Promise<string[]> {
  const wrong: string[] = []
  const rest = [...all]
  const work = async (): Promise<void> => {
    for (let agreed = rest.shift(); agreed !== undefined; agreed = rest.shift()) {
      for (const fault of await job(agreed)) wrong.push(`${agreed.serverBits} and ${agreed.clientBits} bits: ${fault}`)
    }
  }
  await Promise.all(Array.from({ length: TOGETHER }, work))
  return wrong
}

/** One conversation on a connection, suited to the agreement; `mustAgree` if compression must not be refused. */
export async function converse(met: Met, { serverBits, clientBits }: Agreed, mustAgree: boolean): Promise<string[]> {
  const faults = await differences(met, conversation(Math.max(serverBits, clientBits)))
  if ((met.ours.extensions !== '') !== mustAgree) faults.push(`agreed on '${met.ours.extensions}'`)
  return faults
}

/** Ends a connection with the test. */
export function endWith(t: TestLike, ws: WebSocketStream): WebSocketStream {
  t.teardown(() => ws.destroy())
  return ws
}
