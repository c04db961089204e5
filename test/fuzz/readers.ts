// Reads the bytes after a handshake with each of three implementations; returns the results in one form: messages and
// control frames in their order, and the end.

import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { WebSocketStream } from '../../lib/index.js'
import { stopChild, type TestLike } from '../support/peers.js'
import { pieces } from './targets/target.js'
import { headFor, MemoryWire, nextTurn } from './targets/whole.js'

/** A wire, and its reader. */
export interface Case {
  readonly bytes: Buffer
  /** Whether a server reads it, which requires masks. */
  readonly isServer: boolean
  readonly limits: { readonly size: number; readonly fragments: number } | null
  /** How it is split for our reader; the others get it whole. */
  readonly cut: number
}

export interface Verdict {
  /** As `text 48656c6c6f`, with the payload in hexadecimal digits. */
  readonly events: readonly string[]
  /** `open` if more may come, `close CODE REASON` after a Close, `fail CODE` if a rule was broken. */
  readonly end: string
}

const event = (kind: string, payload: string | Uint8Array): string =>
  `${kind} ${Buffer.from(payload as string).toString('hex')}`.trim()

const NO_LIMITS = { size: Number.POSITIVE_INFINITY, fragments: Number.POSITIVE_INFINITY }

/** A WebSocketStream on a wire in memory. */
export async function readWithOurs({ bytes, isServer, limits, cut }: Case): Promise<Verdict> {
  const { size, fragments } = limits ?? NO_LIMITS
  const options = { maxMessageSize: size, maxFrameSize: Number.POSITIVE_INFINITY, maxFragments: fragments }
  const ws = isServer ? WebSocketStream.server(options) : WebSocketStream.client('ws://a/', options)
  const wire = new MemoryWire()
  const events: string[] = []
  let end = 'open'
  ws.on('message', message => events.push(event(typeof message === 'string' ? 'text' : 'binary', message)))
  ws.on('ping', payload => events.push(event('ping', payload)))
  ws.on('pong', payload => events.push(event('pong', payload)))
  ws.attach(wire)
  await nextTurn()
  wire.push(headFor(isServer ? 'server' : 'client', wire))
  for (const piece of pieces(Buffer.from(bytes), cut)) wire.push(piece)
  await nextTurn()
  await nextTurn()
  if (ws.readyState !== 'open') {
    wire.push(null)
    const { code, reason, wasClean } = await ws.whenClosed()
    end = wasClean ? event(`close ${code}`, reason) : `fail ${code}`
  }
  ws.destroy()
  return { events, end }
}

interface WsReceiver {
  on(event: string, listener: (...args: any[]) => void): void
  _write(chunk: Buffer, encoding: string, callback: (error?: Error) => void): void
}

const require = createRequire(import.meta.url)
// neither among the package's exports for require, nor among its types
const Receiver = require(join(dirname(require.resolve('ws/package.json')), 'lib', 'receiver.js')) as new (
  options: object
) => WsReceiver

/** The Receiver of ws, which works synchronously. */
export function readWithWs({ bytes, isServer, limits }: Case): Verdict {
  const receiver = new Receiver({ isServer, maxPayload: limits?.size ?? 0, maxFragments: limits?.fragments ?? 0 })
  const events: string[] = []
  let end = 'open'
  receiver.on('message', (data: Buffer, isBinary: boolean) => events.push(event(isBinary ? 'binary' : 'text', data)))
  receiver.on('ping', (data: Buffer) => events.push(event('ping', data)))
  receiver.on('pong', (data: Buffer) => events.push(event('pong', data)))
  receiver.on('conclude', (code: number, reason: Buffer) => {
    end = event(`close ${code}`, reason)
  })
  receiver._write(Buffer.from(bytes), '', error => {
    if (error !== undefined) end = `fail ${statusOf(error)}`
  })
  return { events, end }
}

function statusOf(error: Error): unknown {
  const symbol = Object.getOwnPropertySymbols(error).find(({ description }) => description === 'status-code')
  if (symbol === undefined) throw error
  return (error as unknown as Record<symbol, unknown>)[symbol]
}

/** wsproto, in one process for all cases. */
export class WsprotoReader {
  private readonly child: ChildProcessByStdio<Writable, Readable, null>
  private readonly lines: AsyncIterator<string>

  constructor(t: TestLike, python: string) {
    const script = fileURLToPath(new URL('wsproto_reader.py', import.meta.url))
    this.child = spawn(python, [script], { stdio: ['pipe', 'pipe', 'inherit'] })
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]()
    t.teardown(() => stopChild(this.child))
  }

  async read(cases: readonly Case[]): Promise<Verdict[]> {
    const parts: Buffer[] = []
    for (const { bytes, isServer } of cases) {
      const head = Buffer.alloc(5)
      head.writeUInt32BE(bytes.length)
      head[4] = isServer ? 1 : 0
      parts.push(head, bytes)
    }
    this.child.stdin.write(Buffer.concat([...parts, Buffer.alloc(4, 0xff)]))
    const verdicts: Verdict[] = []
    for (const _ of cases) {
      const { value, done } = await this.lines.next()
      if (done) throw new Error('wsproto has gone')
      verdicts.push(JSON.parse(value) as Verdict)
    }
    return verdicts
  }
}
