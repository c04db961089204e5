// Decodes the body of a request and finds its end (RFC 9112 §6.3, §7.1). As strict as HeadParser: refuses a body that two parsers could
// read differently. Knows neither streams nor the purpose of the request.

import { HandshakeError } from '../errors.js'
import { Buffer } from '../runtime/node.js'
import { CHUNK_SIZE } from './fields.js'
import type { RequestHead } from './head-parser.js'
import { countLines } from './header-fields.js'

/** The length of a body in bytes, or that it is sent in chunks. */
export type BodyLength = number | 'chunked'

/**
 * The length of the body of a request; 0 if it has none.
 * @throws HandshakeError with the status that refuses the request
 */
export function bodyLength({ httpVersion, headers, rawHeaders }: RequestHead): BodyLength {
  const coding = headers['transfer-encoding'] as string | undefined
  const length = headers['content-length'] as string | undefined
  if (coding !== undefined) {
    // RFC 9112 §6.1: both together allow request smuggling, and HTTP/1.0 has no transfer codings
    if (length !== undefined || httpVersion === '1.0') refuse(400, 'Transfer-Encoding')
    if (coding.toLowerCase() !== 'chunked') refuse(501, 'unknown Transfer-Encoding')
    return 'chunked'
  }
  if (length === undefined) return 0
  if (!/^\d{1,15}$/.test(length) || countLines(rawHeaders, 'content-length') > 1) refuse(400, 'Content-Length')
  return Number(length)
}

function refuse(status: number, detail: string): never {
  throw new HandshakeError('WS_ERR_BAD_REQUEST', { status, detail })
}

const TRAILER = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*$/
const MAX_LINE = 1024
/** Maximum bytes of chunk extensions and trailers together, all of which are ignored. */
const MAX_IGNORED = 16384

export class BodyDecoder {
  /** Bytes of data left in the body or in the current chunk. */
  #left: number
  readonly #isChunked: boolean
  /** The next line in a chunked body. */
  #expected: 'size' | 'data-end' | 'trailer' = 'size'
  #line = ''
  #ignored = 0

  constructor(length: BodyLength) {
    this.#isChunked = length === 'chunked'
    this.#left = length === 'chunked' ? 0 : length
  }

  /**
   * Takes the next bytes and passes the data in them to `take`; returns the bytes after the body once it is complete, null until then.
   * @throws HandshakeError if the chunks are malformed
   */
  write(chunk: Buffer, take: (data: Buffer) => void): Buffer | null {
    let at = 0
    for (;;) {
      if (this.#left > 0) {
        const data = chunk.subarray(at, at + this.#left)
        if (data.length > 0) take(data)
        this.#left -= data.length
        at += data.length
      }
      if (!this.#isChunked) return this.#left === 0 ? chunk.subarray(at) : null
      if (at === chunk.length) return null
      const feed = chunk.indexOf(0x0a, at)
      const end = feed < 0 ? chunk.length : feed + 1
      this.#line += chunk.toString('latin1', at, end)
      at = end
      if (this.#line.length > MAX_LINE) malformed('a line is too long')
      if (feed >= 0 && this.#takeLine()) return chunk.subarray(at)
    }
  }

  /** Whether this line was the last of the body. */
  #takeLine(): boolean {
    const line = this.#line.slice(0, -2)
    // RFC 9112 §2.2: a line feed without CR is refused
    if (!this.#line.endsWith('\r\n')) malformed('a bare line feed')
    this.#line = ''
    if (this.#expected === 'data-end') {
      if (line !== '') malformed('a chunk is longer than it says')
      this.#expected = 'size'
    } else if (this.#expected === 'size') {
      this.#readSize(line)
    } else {
      if (line === '') return true
      if (!TRAILER.test(line)) malformed('a trailer')
      this.#ignore(line.length)
    }
    return false
  }

  #readSize(line: string): void {
    const size = CHUNK_SIZE.exec(line)?.[1]
    if (size === undefined) malformed('the size of a chunk')
    this.#ignore(line.length - size.length)
    this.#left = Number.parseInt(size, 16)
    this.#expected = this.#left === 0 ? 'trailer' : 'data-end'
  }

  #ignore(bytes: number): void {
    this.#ignored += bytes
    if (this.#ignored > MAX_IGNORED) malformed('too many extensions and trailers')
  }
}

function malformed(detail: string): never {
  throw new HandshakeError('WS_ERR_MALFORMED_BODY', { status: 400, detail })
}

/** Whether the client waits for a 100 before it sends the body (RFC 9110 §10.1.1). */
export function expectsContinue({ headers }: RequestHead): boolean {
  return String(headers['expect']).toLowerCase() === '100-continue'
}

/** RFC 9110 §15.2.1 */
export const CONTINUE = Buffer.from('HTTP/1.1 100 Continue\r\n\r\n')
