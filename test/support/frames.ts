// Writes and reads frames by the text of RFC 6455 §5.2, without code of lib: the tests compare the library
// with it. Checks no rules, so that it can write and read invalid frames.

export const CONTINUATION = 0x0
export const TEXT = 0x1
export const BINARY = 0x2
export const CLOSE = 0x8
export const PING = 0x9
export const PONG = 0xa

/** The mask of the examples in RFC 6455 §5.7. */
export const MASK = Buffer.from('37fa213d', 'hex')

/** A frame to be written, valid or not. */
export interface WireFrame {
  opcode: number
  payload: Buffer
  fin: boolean
  /** RSV1, RSV2, RSV3 as 4, 2, 1. */
  rsv: number
  /** Bits of the length field. Default: the fewest possible. */
  form?: 7 | 16 | 64
  /** The value of the length field. Default: the real length. */
  length?: bigint
  mask?: Buffer
}

export const bytesOf = (payload: string | Uint8Array): Buffer =>
  typeof payload === 'string' ? Buffer.from(payload, 'utf8') : Buffer.from(payload)

function frame(opcode: number, payload: string | Uint8Array, fin: boolean): WireFrame {
  return { opcode, payload: bytesOf(payload), fin, rsv: 0 }
}

export const text = (payload: string | Uint8Array, fin = true): WireFrame => frame(TEXT, payload, fin)
export const binary = (payload: string | Uint8Array, fin = true): WireFrame => frame(BINARY, payload, fin)
export const more = (payload: string | Uint8Array, fin = true): WireFrame => frame(CONTINUATION, payload, fin)
export const close = (payload: string | Uint8Array = ''): WireFrame => frame(CLOSE, payload, true)
export const ping = (payload: string | Uint8Array = ''): WireFrame => frame(PING, payload, true)
export const pong = (payload: string | Uint8Array = ''): WireFrame => frame(PONG, payload, true)

/** The bytes of frames, concatenated. */
export function wire(masked: boolean, ...frames: WireFrame[]): Buffer {
  return Buffer.concat(frames.flatMap(each => [header(masked, each), maskedBytes(masked, each)]))
}

/** The bytes of a frame's header, its mask included. */
export function header(masked: boolean, { opcode, payload, fin, rsv, form, length, mask = MASK }: WireFrame): Buffer {
  const declared = length ?? BigInt(payload.length)
  const bits = form ?? (declared < 126n ? 7 : declared < 65536n ? 16 : 64)
  const field = bits === 7 ? [] : bigEndian(declared, bits / 8)
  const short = bits === 7 ? Number(declared) : bits === 16 ? 126 : 127
  return Buffer.from([
    (fin ? 0x80 : 0) | (rsv << 4) | opcode,
    (masked ? 0x80 : 0) | short,
    ...field,
    ...(masked ? mask : [])
  ])
}

function bigEndian(value: bigint, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, i) => Number((value >> BigInt(8 * (bytes - 1 - i))) & 0xffn))
}

function maskedBytes(masked: boolean, { payload, mask = MASK }: WireFrame): Buffer {
  return masked ? Buffer.from(payload.map((byte, i) => byte ^ mask[i % 4]!)) : payload
}

/** A frame that was read, with details that only the wire shows. */
export interface ReadFrame {
  opcode: number
  fin: boolean
  rsv: number
  /** Bits of the length field. */
  form: 7 | 16 | 64
  mask: Buffer | null
  payload: Buffer
}

/** All frames in `bytes`; throws if the last of them is incomplete. */
export function readWire(bytes: Buffer): ReadFrame[] {
  const frames: ReadFrame[] = []
  for (let at = 0; at < bytes.length; ) {
    const first = bytes.readUInt8(at)
    const second = bytes.readUInt8(at + 1)
    const short = second & 0x7f
    const form = short === 127 ? 64 : short === 126 ? 16 : 7
    at += 2
    const length =
      form === 64 ? Number(bytes.readBigUInt64BE(at)) : form === 16 ? Number(bytes.readUInt16BE(at)) : short
    at += form === 7 ? 0 : form / 8
    const mask = second >= 0x80 ? Buffer.from(bytes.subarray(at, at + 4)) : null
    at += mask === null ? 0 : 4
    if (at + length > bytes.length) throw new RangeError(`a frame of ${length} bytes is cut`)
    const payload = Buffer.from(bytes.subarray(at, at + length)).map((byte, i) => byte ^ (mask?.[i % 4] ?? 0))
    at += length
    frames.push({
      opcode: first & 0xf,
      fin: first >= 0x80,
      rsv: (first >> 4) & 7,
      form,
      mask,
      payload: bytesOf(payload)
    })
  }
  return frames
}

/** A short form of a frame, for comparisons: `text+ "Hel"` is a text frame that is not the last of its message. */
export function describe({ opcode, payload, fin, rsv }: Pick<WireFrame, 'opcode' | 'payload' | 'fin' | 'rsv'>): string {
  const name = { 0: 'more', 1: 'text', 2: 'binary', 8: 'close', 9: 'ping', 10: 'pong' }[opcode] ?? String(opcode)
  const body = payload.length > 40 ? `${payload.length} bytes, ${checksum(payload)}` : payload.toString('hex')
  return `${name}${fin ? '' : '+'}${rsv === 0 ? '' : ` rsv ${rsv}`} ${body}`.trimEnd()
}

// enough to show that two long payloads differ
function checksum(bytes: Buffer): number {
  let sum = 7
  for (const byte of bytes) sum = (Math.imul(sum, 31) + byte) | 0
  return sum >>> 0
}

/** `length` bytes in which neighbours differ in all the ways that a shift or a mask could hide. */
export function pattern(length: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let i = 0; i < length; i++) bytes[i] = (i * 7 + (i >> 8) * 13 + 1) & 0xff
  return bytes
}

/** Pseudo-random numbers in [0, 1) that are the same in every run (mulberry32). */
export function random(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0
    let z = Math.imul(seed ^ (seed >>> 15), seed | 1)
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61)
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32
  }
}

/** `bytes` split at `ends`, each part in its own memory. */
export function cut(bytes: Buffer, ...ends: number[]): Buffer[] {
  return [...ends, bytes.length].map((end, i) => bytesOf(bytes.subarray(i === 0 ? 0 : ends[i - 1], end)))
}

/** `bytes` one by one. */
export function byteByByte(bytes: Buffer): Buffer[] {
  return Array.from(bytes, byte => Buffer.from([byte]))
}
