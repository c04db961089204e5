// Bytes that the benchmarks agree on: payloads of an exact size, frames around them, handshake texts. What a peer sends
// is built here beforehand, and what comes back is compared with what is built here; no library under test takes part.

import { createHash } from 'node:crypto'

export const KINDS = ['binary', 'ascii', 'mixed']

/** A repeatable stream of bytes: the same seed gives the same benchmark on every machine. */
function bytesFrom(seed) {
  let state = (seed * 2654435761 + 1) >>> 0
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    state >>>= 0
    return state & 0xff
  }
}

const WORDS = ['duplex ', 'Ärger ', 'naïve ', 'поток ', '水道 ', 'διά ', '🌊 ', 'plain words here ', '€5 ']

/** One payload: `kind` binary (any byte), ascii, or mixed (text of characters of one to four bytes). */
export function payload(kind, size, seed = 1) {
  const next = bytesFrom(seed + size)
  const bytes = Buffer.alloc(size)
  if (kind === 'binary') {
    const period = Math.min(size, 65521)
    for (let i = 0; i < period; i++) bytes[i] = next()
    for (let i = period; i < size; i += period) bytes.copyWithin(i, 0, Math.min(period, size - i))
    return bytes
  }
  if (kind === 'ascii') {
    for (let i = 0; i < size; i++) bytes[i] = 0x20 + (next() % 95)
    return bytes
  }
  let at = 0
  while (at < size) {
    const word = Buffer.from(WORDS[next() % WORDS.length])
    if (at + word.length > size) break
    at += word.copy(bytes, at)
  }
  if (size - at >= 2) at += bytes.write('é', at) // so that no size is pure ASCII by accident
  return bytes.fill(0x2e, at)
}

/** Different payloads, so that no answer can be made by repeating an earlier one. */
export function payloads(kind, size, count) {
  return Array.from({ length: count }, (_, i) => payload(kind, size, i + 1))
}

export const opcodeOf = kind => (kind === 'binary' ? 2 : 1)

/** The length of one frame on the wire. */
export function frameSize(size, masked) {
  return size + (size < 126 ? 2 : size < 65536 ? 4 : 10) + (masked ? 4 : 0)
}

/** One final frame; with `mask`, four bytes, a client's. */
export function frame(bytes, opcode, mask) {
  const size = bytes.length
  const out = Buffer.allocUnsafeSlow(frameSize(size, mask !== undefined))
  const bit = mask ? 0x80 : 0
  out[0] = 0x80 | opcode
  let at = 2
  if (size < 126) out[1] = bit | size
  else if (size < 65536) {
    out[1] = bit | 126
    at = out.writeUInt16BE(size, 2)
  } else {
    out[1] = bit | 127
    at = out.writeBigUInt64BE(BigInt(size), 2)
  }
  if (!mask) {
    bytes.copy(out, at)
    return out
  }
  mask.copy(out, at)
  at += 4
  for (let i = 0; i < size; i++) out[at + i] = bytes[i] ^ mask[i & 3]
  return out
}

/** The frames of many payloads in one buffer, each with a mask of its own where `masked`. */
export function frames(list, opcode, masked) {
  const next = bytesFrom(list.length)
  return Buffer.concat(
    list.map(bytes => frame(bytes, opcode, masked ? Buffer.from([next(), next(), next(), next()]) : undefined))
  )
}

/** The slow and plain way back, for checking: every frame of `bytes` as `{ opcode, final, payload }`. */
export function unframe(bytes) {
  const found = []
  let at = 0
  while (at < bytes.length) {
    const opcode = bytes[at] & 0x0f
    const final = bytes[at] >= 0x80
    const masked = bytes[at + 1] >= 0x80
    let size = bytes[at + 1] & 0x7f
    at += 2
    if (size === 126) {
      size = bytes.readUInt16BE(at)
      at += 2
    } else if (size === 127) {
      size = Number(bytes.readBigUInt64BE(at))
      at += 8
    }
    const mask = masked ? bytes.subarray(at, (at += 4)) : undefined
    if (at + size > bytes.length) throw new Error('a frame is cut short')
    const body = Buffer.from(bytes.subarray(at, at + size))
    if (mask) for (let i = 0; i < size; i++) body[i] ^= mask[i & 3]
    found.push({ opcode, final, payload: body })
    at += size
  }
  return found
}

/** `bytes` cut as a socket hands them out: in chunks that know nothing of frames. */
export function chunked(bytes, size = 65536) {
  const chunks = []
  for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size))
  return chunks
}

export const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='

export function acceptFor(key) {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
}

export function upgradeRequest(path = '/', key = KEY) {
  return Buffer.from(
    `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
    'latin1'
  )
}

/** The answer to a request head, given as text. */
export function upgradeResponse(head) {
  const key = /^sec-websocket-key:\s*(\S+)/im.exec(head)?.[1]
  if (!key) throw new Error(`no key in the request:\n${head}`)
  return Buffer.from(
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      `Sec-WebSocket-Accept: ${acceptFor(key)}\r\n\r\n`,
    'latin1'
  )
}

export const closeFrame = masked =>
  frame(Buffer.from([0x03, 0xe8]), 8, masked ? Buffer.from([0x11, 0x22, 0x33, 0x44]) : undefined)
