// A driver with a record of all its events and output, and its peer, written by hand.

import type { Driver } from '../../../lib/compat/driver/driver.js'
import driver, { type DriverOptions, type DriverRequest } from '../../../lib/compat/driver/index.js'
import {
  acceptFor,
  type FieldChanges,
  type FrameChanges,
  requestFields,
  requestHead,
  type WireFrame,
  wireFrame
} from '../../support/raw-peer.js'

export interface Seen<D extends Driver = Driver> {
  driver: D
  /** The events in order, each with its value. */
  events: unknown[][]
  /** The chunks that were sent and not taken yet. */
  sent: Buffer[]
  /** All that was sent and not taken yet, as text. */
  take(): string
  /** The same as frames. */
  frames(): WireFrame[]
  /** Passes a frame of its peer to the driver. */
  frame(opcode: number, payload?: string | Uint8Array, changes?: FrameChanges): boolean
}

export function watch<D extends Driver>(driver: D, isClient = false): Seen<D> {
  const events: unknown[][] = []
  const sent: Buffer[] = []
  driver.on('connect', () => events.push(['connect']))
  driver.on('open', () => events.push(['open']))
  driver.on('message', ({ data }) => events.push(['message', typeof data === 'string' ? data : [...data]]))
  driver.on('ping', ({ data }) => events.push(['ping', data]))
  driver.on('pong', ({ data }) => events.push(['pong', data]))
  driver.on('error', error => events.push(['error', (error as Error & { code?: string }).code ?? error.message]))
  driver.on('close', ({ code, reason }) => events.push(['close', code, reason]))
  driver.io.on('data', (chunk: Buffer) => sent.push(Buffer.from(chunk)))
  const takeBytes = (): Buffer => Buffer.concat(sent.splice(0))
  return {
    driver,
    events,
    sent,
    take: () => takeBytes().toString('latin1'),
    frames: () => readFrames(takeBytes()),
    frame: (opcode, payload, changes = {}) =>
      driver.io.write(wireFrame(opcode, payload, { masked: !isClient, ...changes }))
  }
}

/** Frames one after another, unmasked. */
export function readFrames(bytes: Buffer): WireFrame[] {
  const frames: WireFrame[] = []
  for (let at = 0; at < bytes.length; ) {
    const [first, second] = [bytes[at]!, bytes[at + 1]!]
    const short = second & 127
    const masked = second >= 128
    const length =
      short < 126 ? short : short === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2))
    at += short < 126 ? 2 : short === 126 ? 4 : 10
    const mask = masked ? bytes.subarray(at, at + 4) : Buffer.alloc(4)
    if (masked) at += 4
    const payload = Buffer.from(bytes.subarray(at, at + length))
    for (let i = 0; i < length; i++) payload[i]! ^= mask[i & 3]!
    at += length
    const fields = { fin: first >= 128, rsv: (first >> 4) & 7, opcode: first & 15, masked }
    frames.push({ ...fields, mask: mask.readUInt32BE(0), payload })
  }
  return frames
}

/** A request as `node:http` gives it. */
export function parsed(changes: FieldChanges = {}): DriverRequest {
  const fields = { ...requestFields(), ...changes }
  const there = Object.entries(fields).flatMap(([name, value]) => (value === null ? [] : [[name.toLowerCase(), value]]))
  const headers = Object.fromEntries(there)
  return { method: 'GET', url: '/chat', httpVersion: '1.1', headers }
}

export const http = (options?: DriverOptions, changes?: FieldChanges) => watch(driver.http(parsed(changes), options))
export const server = (options?: DriverOptions) => watch(driver.server(options))
export const client = (options?: DriverOptions, url = 'ws://example.com/chat') =>
  watch(driver.client(url, options), true)

/** The right response to a request. */
export function answerTo(request: string, fields = ''): string {
  const key = /Sec-WebSocket-Key: (\S+)/.exec(request)?.[1] ?? ''
  return `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptFor(key)}\r\n${fields}\r\n`
}

export function make(kind: (typeof KINDS)[number], options?: DriverOptions): Seen {
  return kind === 'http' ? http(options) : kind === 'server' ? server(options) : client(options)
}

/** An open driver of each kind, with an empty record. */
export function open(kind: (typeof KINDS)[number], options?: DriverOptions): Seen {
  const seen = make(kind, options)
  if (kind === 'server') seen.driver.io.write(requestHead())
  seen.driver.start()
  if (kind === 'client') seen.driver.io.write(answerTo(seen.take()))
  seen.take()
  seen.events.splice(0)
  return seen
}

export const KINDS = ['http', 'server', 'client'] as const
