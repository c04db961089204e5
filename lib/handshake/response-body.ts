// Reads the body of a response up to a limit (RFC 9112 §6.3, §7.1). Does not know the request, which must not have been HEAD or CONNECT.

import { Buffer } from '../runtime/node.js'
import { ByteStore } from './byte-store.js'
import { CHUNK_SIZE } from './fields.js'
import type { ResponseHead } from './head-parser.js'
import { countLines } from './header-fields.js'
import { listTokens } from './header-lists.js'

/** How the end of the body is found; 'none' also if that is ambiguous. */
type Framing = 'none' | 'length' | 'chunked' | 'until-end'

/** Maximum bytes kept of the body of a response that refuses the handshake. */
export const MAX_BODY = 65536
const MAX_CHUNK_LINE = 1024
// A chunk of one byte has five bytes of framing; stop reading if there are more than this many for each byte of the limit
const MAX_OVERHEAD = 8

export class ResponseBody {
  readonly #framing: Framing
  readonly #limit: number
  readonly #store = new ByteStore()
  /** Bytes left in the body or in the current chunk. */
  #left: number
  /** The next element of a chunked body. */
  #expected: 'size' | 'data' | 'data-end' | 'nothing' = 'size'
  #line = ''
  /** Bytes that were not data. */
  #overhead = 0

  /** @param limit - maximum bytes of the body that are kept */
  constructor(head: ResponseHead, limit: number) {
    this.#framing = framingOf(head)
    this.#limit = limit
    this.#left = this.#framing === 'length' ? Number(head.headers['content-length']) : Number.POSITIVE_INFINITY
  }

  /** The body as far as it has arrived. */
  get bytes(): Buffer {
    return Buffer.from(this.#store.bytes())
  }

  /** Takes the next bytes; returns whether the body is over: at its end, at the limit, or because it is malformed. */
  write(chunk: Buffer): boolean {
    if (this.#framing === 'chunked') return this.#writeChunked(chunk)
    if (this.#framing !== 'none') this.#keep(chunk)
    return this.#framing === 'none' || this.#left === 0 || this.#full
  }

  get #full(): boolean {
    return this.#store.length === this.#limit
  }

  /** Keeps the bytes of the body within the limit; returns how much of the chunk is used up. */
  #keep(chunk: Buffer): number {
    const length = Math.min(chunk.length, this.#left)
    this.#store.push(chunk.subarray(0, Math.min(length, this.#limit - this.#store.length)))
    this.#left -= length
    return length
  }

  #writeChunked(chunk: Buffer): boolean {
    let at = 0
    while (at < chunk.length && this.#expected !== 'nothing') {
      if (this.#expected === 'data') {
        at += this.#keep(chunk.subarray(at))
        if (this.#full) return true
        if (this.#left === 0) this.#expected = 'data-end'
      } else {
        this.#takeMark(chunk[at++]!)
      }
    }
    return this.#expected === 'nothing'
  }

  /** Takes a byte of a line that is not data. */
  #takeMark(byte: number): void {
    this.#overhead++
    if (byte !== 0x0a) {
      this.#line += String.fromCharCode(byte)
      if (this.#line.length > MAX_CHUNK_LINE || this.#overhead > this.#limit * MAX_OVERHEAD) this.#expected = 'nothing'
      return
    }
    this.#expected = this.#expected === 'size' ? this.#readSize() : this.#line === '\r' ? 'size' : 'nothing'
    this.#line = ''
  }

  #readSize(): 'data' | 'nothing' {
    const size = this.#line.endsWith('\r') ? CHUNK_SIZE.exec(this.#line.slice(0, -1)) : null
    // Do not wait for the trailers after the last chunk: the connection has no further use
    if (size === null) return 'nothing'
    this.#left = Number.parseInt(size[1]!, 16)
    return this.#left === 0 ? 'nothing' : 'data'
  }
}

/** RFC 9112 §6.3 */
function framingOf({ status, headers, rawHeaders }: ResponseHead): Framing {
  if (status === 204 || status === 304) return 'none'
  const coding = headers['transfer-encoding'] as string | undefined
  const length = headers['content-length'] as string | undefined
  if (coding !== undefined) {
    // both together allow request smuggling
    if (length !== undefined) return 'none'
    return listTokens(coding)?.at(-1)?.toLowerCase() === 'chunked' ? 'chunked' : 'until-end'
  }
  if (length === undefined) return 'until-end'
  return /^\d{1,15}$/.test(length) && countLines(rawHeaders, 'content-length') === 1 ? 'length' : 'none'
}
