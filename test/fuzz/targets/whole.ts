// A whole WebSocketStream, either role, on a wire in memory: it ends in order whatever arrives, emits `close` once, and sends only what
// is valid.

import { Duplex } from 'node:stream'
import { HandshakeError, WebSocketError } from '../../../lib/errors.js'
import type { CloseInfo } from '../../../lib/index.js'
import { readCloseBody } from '../../../lib/protocol/close-code.js'
import { FrameParser } from '../../../lib/protocol/frame-parser.js'
import { MessageJoiner } from '../../../lib/protocol/message-joiner.js'
import { isControl, Opcode } from '../../../lib/protocol/opcode.js'
import { WebSocketStream } from '../../../lib/websocket-stream.js'
import { CLOSE, readWire } from '../../support/frames.js'
import { acceptFor, requestHead } from '../../support/raw-peer.js'
import { demand, given, pieces, type Target } from './target.js'

/** The peer's end of a wire: input is pushed, output is recorded. */
export class MemoryWire extends Duplex {
  readonly sent: Buffer[] = []

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, callback: () => void): void {
    this.sent.push(Buffer.from(chunk))
    callback()
  }
}

export const nextTurn = (): Promise<void> => new Promise(resolve => setImmediate(resolve))

const LIMITS = { maxMessageSize: 1000, maxFrameSize: 500, maxFragments: 5 }
const HEAD_END = Buffer.from('\r\n\r\n')
/** Turns of the event loop after which a connection must have ended whose wire has ended. */
const PATIENCE = 100

type Reader = 'listener' | 'view' | 'echo' | 'nobody'
const READERS: readonly Reader[] = ['listener', 'view', 'echo', 'nobody']

/** The choices made by one input. */
interface Circumstances {
  readonly role: 'server' | 'client'
  readonly hasOwnHead: boolean
  readonly isPiped: boolean
  readonly isLimited: boolean
  readonly isReset: boolean
  readonly reader: Reader
}

interface Observed {
  readonly messages: (string | Buffer)[]
  readonly errors: Error[]
  readonly closes: CloseInfo[]
}

function circumstances(flags: number): Circumstances {
  return {
    role: (flags & 1) === 0 ? 'server' : 'client',
    hasOwnHead: (flags & 2) !== 0,
    isPiped: (flags & 4) !== 0,
    isLimited: (flags & 8) !== 0,
    isReset: (flags & 16) !== 0,
    reader: READERS[(flags >> 5) & 3]!
  }
}

function start({ role, isPiped, isLimited, reader }: Circumstances, wire: MemoryWire): [WebSocketStream, Observed] {
  const options = isLimited ? LIMITS : {}
  const ws = role === 'server' ? WebSocketStream.server(options) : WebSocketStream.client('ws://a/', options)
  const observed: Observed = { messages: [], errors: [], closes: [] }
  ws.on('error', error => observed.errors.push(error))
  ws.on('close', info => observed.closes.push(info))
  wire.on('error', () => {})
  if (reader === 'listener') ws.on('message', message => observed.messages.push(message))
  else if (reader === 'view') ws.messages.on('data', message => observed.messages.push(message))
  else if (reader === 'echo') ws.messages.pipe(ws.messages)
  if (isPiped) wire.pipe(ws).pipe(wire)
  else ws.attach(wire)
  return [ws, observed]
}

/** The peer's part of the handshake. */
export function headFor(role: 'server' | 'client', wire: MemoryWire): Buffer {
  if (role === 'server') return requestHead()
  const key = /^Sec-WebSocket-Key: (.*)\r$/m.exec(Buffer.concat(wire.sent).toString('latin1'))![1]!
  const fields = `Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptFor(key)}\r\n`
  return Buffer.from(`HTTP/1.1 101 Switching Protocols\r\n${fields}\r\n`)
}

/** The frames in the bytes after a head. */
function expected({ role, isLimited }: Circumstances, bytes: Buffer): { messages: (string | Buffer)[]; code: number } {
  const limits = isLimited ? LIMITS : { maxMessageSize: 2 ** 26 - 1, maxFrameSize: 2 ** 26 - 1, maxFragments: 2 ** 17 }
  const parser = new FrameParser({ masked: role === 'server', ...limits })
  const joiner = new MessageJoiner(limits)
  const messages: (string | Buffer)[] = []
  try {
    parser.push(Buffer.from(bytes), false)
    for (let frame = parser.next(); frame !== null; frame = parser.next()) {
      if (frame.opcode === Opcode.Close) return { messages, code: readCloseBody(frame.payload).code }
      if (isControl(frame.opcode)) continue
      const message = joiner.add(frame)
      if (message !== null) messages.push(message)
    }
    return { messages, code: 1006 }
  } catch (error) {
    demand(error instanceof WebSocketError, `not a WebSocketError: ${error}`)
    return { messages, code: error.closeCode }
  }
}

function checkSent({ role }: Circumstances, sent: Buffer, info: CloseInfo): void {
  const end = sent.indexOf(HEAD_END)
  if (end < 0) return
  if (role === 'server' && !sent.toString('latin1', 0, 12).startsWith('HTTP/1.1 101')) return
  const frames = readWire(sent.subarray(end + HEAD_END.length))
  const closes = frames.filter(frame => frame.opcode === CLOSE)
  demand(closes.length <= 1, `${closes.length} Close frames`)
  demand(closes.length === 0 || frames.at(-1) === closes[0], 'something behind the Close frame')
  demand(
    frames.every(frame => (frame.mask !== null) === (role === 'client')),
    'a wrong mask'
  )
  if (info.wasClean) demand(closes.length === 1, 'a clean end without a Close frame')
}

export const whole: Target = {
  name: 'whole',
  words: [
    ...['8180', '8181000000', '818137fa213d', '8200', '0100', '8000', '8900', '8980', '8880', '88820000000003e8'],
    ...['880203e8', '817e007e', '81fe007e', 'c3a9', '8a00', '827f0000000000010000']
  ].map(hex => Buffer.from(hex, 'hex')),
  async run(input) {
    const { flags, cut, bytes } = given(input)
    const around = circumstances(flags)
    const wire = new MemoryWire()
    const [ws, observed] = start(around, wire)
    await nextTurn()
    let turns = 0
    if (!around.hasOwnHead) wire.push(headFor(around.role, wire))
    for (const piece of pieces(bytes, cut)) {
      if (wire.destroyed) break
      wire.push(piece)
      if (++turns % 16 === 0) await nextTurn()
    }
    if (!wire.destroyed) {
      if (around.isReset) wire.destroy(new Error('reset'))
      else wire.push(null)
    }
    for (turns = 0; observed.closes.length === 0 && turns < PATIENCE; turns++) {
      // nothing reads: then only the application ends it
      if (turns === PATIENCE / 2 && around.reader === 'nobody') ws.destroy()
      await nextTurn()
    }
    if (observed.closes.length === 0) {
      ws.destroy()
      demand(false, `does not end: ${ws.readyState}`)
    }
    await nextTurn()
    demand(observed.closes.length === 1, `${observed.closes.length} close events`)
    demand(ws.readyState === 'closed', `${ws.readyState} after its close event`)
    check(around, ws, observed, wire, bytes)
  }
}

function check(around: Circumstances, ws: WebSocketStream, observed: Observed, wire: MemoryWire, bytes: Buffer): void {
  const { errors, closes, messages } = observed
  const info = closes[0]!
  demand(ws.bufferedAmount === 0 || !info.wasClean, `${ws.bufferedAmount} bytes are left`)
  for (const error of errors) {
    demand(error instanceof WebSocketError, `an error of another kind: ${error}`)
    demand(error.closeCode === info.code, `an error for ${error.closeCode} where the close says ${info.code}`)
  }
  demand(errors.length <= 1, `${errors.length} errors`)
  if (!around.isReset) checkSent(around, Buffer.concat(wire.sent), info)
  if (around.isReset || around.hasOwnHead || around.reader === 'nobody') return
  demand(!errors.some(error => error instanceof HandshakeError), 'a right handshake was refused')
  const { messages: right, code } = expected(around, bytes)
  demand(info.code === code, `closed with ${info.code} and not ${code}`)
  if (around.reader === 'echo') return
  demand(messages.length === right.length, `${messages.length} messages and not ${right.length}`)
  demand(
    messages.every((message, i) => Buffer.from(message).equals(Buffer.from(right[i]!))),
    'other messages'
  )
}
