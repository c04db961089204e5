// The other side of a connection, by hand: writes any bytes that a test wants, and reads heads and frames with its own small
// parser. Shares no code with the library.

import { createHash, randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

export const TEXT = 1
export const BINARY = 2
export const CLOSE = 8
export const PING = 9
export const PONG = 10

/** A frame from the wire, unmasked. */
export interface WireFrame {
  fin: boolean
  rsv: number
  opcode: number
  masked: boolean
  mask: number
  payload: Buffer
}

export interface FrameChanges {
  fin?: boolean
  rsv?: number
  masked?: boolean
  /** The length that the header declares, instead of the real one. */
  declared?: number
}

export interface Head {
  first: string
  status: number
  headers: Record<string, string>
  text: string
}

/** The key of RFC 6455 §1.3. */
export const SAMPLE_KEY = 'dGhlIHNhbXBsZSBub25jZQ=='

export function acceptFor(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
}

/** Header fields that replace others of the same name; null removes one. */
export type FieldChanges = Record<string, string | null>

/** A client's request as bytes. */
export function requestHead(changes: FieldChanges = {}, line = 'GET /chat HTTP/1.1'): Buffer {
  return writeHead(line, { ...requestFields(), ...changes })
}

export function requestFields(): Record<string, string> {
  return {
    Host: 'example.com',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': SAMPLE_KEY,
    'Sec-WebSocket-Version': '13'
  }
}

/** The valid response to a client's request as bytes. */
export function answerHead(request: Head, changes: FieldChanges = {}): Buffer {
  const accept = acceptFor(request.headers['sec-websocket-key'] ?? '')
  const fields = { Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Accept': accept, ...changes }
  return writeHead('HTTP/1.1 101 Switching Protocols', fields)
}

function writeHead(first: string, fields: FieldChanges): Buffer {
  const lines = Object.entries(fields).flatMap(([name, value]) => (value === null ? [] : [`${name}: ${value}\r\n`]))
  return Buffer.from(`${first}\r\n${lines.join('')}\r\n`, 'latin1')
}

/** The bytes of one frame. */
export function wireFrame(opcode: number, payload: string | Uint8Array = '', changes: FrameChanges = {}): Buffer {
  const bytes = Buffer.from(payload as string)
  const { fin = true, rsv = 0, masked = false, declared = bytes.length } = changes
  const head = Buffer.alloc(declared < 126 ? 2 : declared < 65536 ? 4 : 10)
  head[0] = (fin ? 128 : 0) | (rsv << 4) | opcode
  head[1] = (masked ? 128 : 0) | (declared < 126 ? declared : declared < 65536 ? 126 : 127)
  if (head.length === 4) head.writeUInt16BE(declared, 2)
  if (head.length === 10) head.writeBigUInt64BE(BigInt(declared), 2)
  if (!masked) return Buffer.concat([head, bytes])
  const mask = randomBytes(4)
  for (let i = 0; i < bytes.length; i++) bytes[i]! ^= mask[i & 3]!
  return Buffer.concat([head, mask, bytes])
}

/** The body of a Close frame. */
export function closeBody(code: number, reason = ''): Buffer {
  const body = Buffer.concat([Buffer.alloc(2), Buffer.from(reason)])
  body.writeUInt16BE(code)
  return body
}

/** The content of a Close frame. */
export function readClose(frame: WireFrame | undefined): { code: number; reason: string } {
  if (frame?.opcode !== CLOSE) throw new Error(`not a Close frame: ${JSON.stringify(frame)}`)
  if (frame.payload.length === 0) return { code: 1005, reason: '' }
  return { code: frame.payload.readUInt16BE(0), reason: frame.payload.toString('utf8', 2) }
}

export class RawPeer {
  /** All bytes that have arrived and have not been read. */
  input: Buffer = Buffer.alloc(0)
  /** The other side ended the wire. */
  hasEnded = false
  /** The wire has closed, with an error or without. */
  readonly closed: Promise<void>

  private wake: (() => void) | null = null

  /** @param role - a client masks its frames */
  constructor(
    readonly stream: Duplex,
    readonly role: 'client' | 'server'
  ) {
    stream.on('data', (chunk: Buffer) => {
      this.input = Buffer.concat([this.input, chunk])
      this.stir()
    })
    stream.on('end', () => {
      this.hasEnded = true
      this.stir()
    })
    stream.on('error', () => {})
    this.closed = new Promise(resolve => {
      stream.on('close', () => {
        this.hasEnded = true
        this.stir()
        resolve()
      })
    })
  }

  write(...parts: Uint8Array[]): boolean {
    return this.stream.write(Buffer.concat(parts))
  }

  /** The bytes of a frame as this side sends them. */
  frame(opcode: number, payload: string | Uint8Array = '', changes: FrameChanges = {}): Buffer {
    return wireFrame(opcode, payload, { masked: this.role === 'client', ...changes })
  }

  send(opcode: number, payload: string | Uint8Array = '', changes: FrameChanges = {}): boolean {
    return this.write(this.frame(opcode, payload, changes))
  }

  text(text: string): boolean {
    return this.send(TEXT, text)
  }

  close(code = 1000, reason = ''): boolean {
    return this.send(CLOSE, closeBody(code, reason))
  }

  end(): void {
    this.stream.end()
  }

  /** A TCP reset, or its equivalent in memory. */
  reset(): void {
    if ('resetAndDestroy' in this.stream) (this.stream as Socket).resetAndDestroy()
    else this.stream.destroy(new Error('reset'))
  }

  /** The next head: a request line or a status line, and the header fields. */
  async head(): Promise<Head> {
    for (let end = -1; ; ) {
      end = this.input.indexOf('\r\n\r\n')
      if (end >= 0) return this.takeHead(end + 4)
      if (this.hasEnded) throw new Error(`no head: ${JSON.stringify(this.input.toString('latin1'))}`)
      await this.more()
    }
  }

  /** The next `size` bytes; fewer if the wire ended. */
  async take(size: number): Promise<Buffer> {
    while (this.input.length < size && !this.hasEnded) await this.more()
    const taken = this.input.subarray(0, size)
    this.input = this.input.subarray(size)
    return taken
  }

  /** The next frame; undefined if the wire ended. */
  async nextFrame(): Promise<WireFrame | undefined> {
    for (;;) {
      const frame = this.takeFrame()
      if (frame !== undefined) return frame
      if (this.hasEnded) {
        if (this.input.length > 0) throw new Error(`half a frame: ${this.input.toString('hex')}`)
        return undefined
      }
      await this.more()
    }
  }

  /** All frames up to the end of the wire. */
  async allFrames(): Promise<WireFrame[]> {
    const frames: WireFrame[] = []
    for (let frame = await this.nextFrame(); frame !== undefined; frame = await this.nextFrame()) frames.push(frame)
    return frames
  }

  /** All bytes up to the end of the wire. */
  async rest(): Promise<Buffer> {
    await this.ended()
    const { input } = this
    this.input = Buffer.alloc(0)
    return input
  }

  /** The other side ended the wire, or it broke. */
  async ended(): Promise<void> {
    while (!this.hasEnded) await this.more()
  }

  /** Waits for the other side's Close and answers it with the same; a client leaves it to the server to end the wire. */
  async answerClose(): Promise<{ code: number; reason: string }> {
    for (;;) {
      const frame = await this.nextFrame()
      if (frame?.opcode !== CLOSE && frame !== undefined) continue
      const said = readClose(frame)
      this.send(CLOSE, frame!.payload)
      if (this.role === 'server') this.end()
      else void this.ended().then(() => this.end())
      return said
    }
  }

  private takeHead(end: number): Head {
    const text = this.input.toString('latin1', 0, end)
    this.input = this.input.subarray(end)
    const [first = '', ...lines] = text.trimEnd().split('\r\n')
    const headers: Record<string, string> = {}
    for (const line of lines) {
      const colon = line.indexOf(':')
      headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim()
    }
    return { first, status: Number(/^HTTP\/1\.1 (\d+)/.exec(first)?.[1] ?? 0), headers, text }
  }

  private takeFrame(): WireFrame | undefined {
    const { input } = this
    if (input.length < 2) return undefined
    const short = input[1]! & 127
    const masked = input[1]! >= 128
    let at = short < 126 ? 2 : short === 126 ? 4 : 10
    if (input.length < at + (masked ? 4 : 0)) return undefined
    const length = short < 126 ? short : short === 126 ? input.readUInt16BE(2) : Number(input.readBigUInt64BE(2))
    const mask = masked ? input.subarray(at, at + 4) : Buffer.alloc(4)
    if (masked) at += 4
    if (input.length < at + length) return undefined
    const payload = Buffer.from(input.subarray(at, at + length))
    for (let i = 0; i < length; i++) payload[i]! ^= mask[i & 3]!
    this.input = input.subarray(at + length)
    const first = input[0]!
    const fields = { fin: first >= 128, rsv: (first >> 4) & 7, opcode: first & 15, masked }
    return { ...fields, mask: mask.readUInt32BE(0), payload }
  }

  private stir(): void {
    const { wake } = this
    this.wake = null
    wake?.()
  }

  private more(): Promise<void> {
    return new Promise(resolve => {
      const { wake } = this
      this.wake = () => {
        wake?.()
        resolve()
      }
    })
  }
}
