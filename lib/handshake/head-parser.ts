// Parses HTTP/1.1 request or response heads (RFC 9112) from pieces of any size, and returns the bytes after them. Strict: refuses anything
// that two parsers could read differently. Does not know what the fields mean.

import { type ErrorCode, HandshakeError, type Headers } from '../errors.js'
import { Buffer } from '../runtime/node.js'
import { ByteStore } from './byte-store.js'
import { TOKEN } from './fields.js'
import { addHeader, newHeaders } from './header-fields.js'
import { trimBlanks } from './header-lists.js'

interface Head {
  httpVersion: string
  /** By lower-case name; repeated lines are joined as in `node:http`. */
  headers: Headers
  /** Names and values alternating, as received. */
  rawHeaders: string[]
}

export interface RequestHead extends Head {
  method: string
  url: string
}

export interface ResponseHead extends Head {
  status: number
  statusText: string
}

export interface HeadLimits {
  /** Maximum bytes of a head, including the empty line at its end. */
  readonly maxHeaderSize: number
  /** Maximum number of field lines. */
  readonly maxHeaders: number
}

/** The differences between request and response heads: `REQUEST` or `RESPONSE`. */
export interface HeadKind<T extends Head> {
  /** Parses the first line; null if it is malformed. */
  start(line: string): T | null
  /** Whether this side supports the version of that first line. */
  speaks(head: T): boolean
  /** The error code for a first line that is longer than the limit of a head. */
  readonly startTooLong: ErrorCode
  /** The status that answers an error. */
  status(code: ErrorCode): number
}

// RFC 9112 §3: single spaces, and no other white space
const REQUEST_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e]+) HTTP\/(\d\.\d)$/
// RFC 9112 §4; the space before an empty reason is often missing, and the meaning is clear without it
const STATUS_LINE = /^HTTP\/(\d\.\d) ([1-5]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/
// RFC 9110 §5.5: characters that a value cannot contain
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/

const STATUS: Partial<Record<ErrorCode, number>> = {
  WS_ERR_MALFORMED_HEAD: 400,
  WS_ERR_TARGET_TOO_LONG: 414, // RFC 9110 §15.5.15
  WS_ERR_HEAD_TOO_LARGE: 431, // RFC 6585 §5
  WS_ERR_HTTP_VERSION: 505 // RFC 9110 §15.6.6
}

/** Request heads; errors have the status to answer with. */
export const REQUEST: HeadKind<RequestHead> = {
  start(line) {
    const parts = REQUEST_LINE.exec(line)
    if (parts === null) return null
    return { method: parts[1]!, url: parts[2]!, httpVersion: parts[3]!, headers: newHeaders(), rawHeaders: [] }
  },
  // a WebSocket needs at least 1.1, which is checked later; an application may answer 1.0
  speaks: head => head.httpVersion[0] === '1',
  startTooLong: 'WS_ERR_TARGET_TOO_LONG',
  status: code => STATUS[code]!
}

/** Response heads; errors have status 0, since no response was received. HTTP/1.0 is accepted: proxies refuse with it. */
export const RESPONSE: HeadKind<ResponseHead> = {
  start(line) {
    const parts = STATUS_LINE.exec(line)
    if (parts === null) return null
    const [, httpVersion = '', status, statusText = ''] = parts
    return { status: Number(status), statusText, httpVersion, headers: newHeaders(), rawHeaders: [] }
  },
  speaks: head => head.httpVersion[0] === '1',
  startTooLong: 'WS_ERR_HEAD_TOO_LARGE',
  status: () => 0
}

// A substring keeps its whole string alive; up to this size it is not worth searching for the end of the head
const SMALL_CHUNK = 1024
const HEAD_END = Buffer.from('\r\n\r\n')
const NOTHING = Buffer.alloc(0)

/** Parses one head after another; not usable after an error. */
export class HeadParser<T extends RequestHead | ResponseHead> {
  /** After a head: the bytes after it in the last chunk, a view that may be empty. */
  rest: Buffer = NOTHING
  /** After a head: its size in bytes. */
  size = 0

  readonly #kind: HeadKind<T>
  readonly #limits: HeadLimits
  /** An incomplete line. */
  readonly #held = new ByteStore()
  #head: T | null = null
  #skippedEmptyLine = false
  /** Bytes of this head in earlier chunks. */
  #taken = 0

  constructor(kind: HeadKind<T>, limits: HeadLimits) {
    this.#kind = kind
    this.#limits = limits
  }

  /**
   * Takes the next bytes; null if the head is not complete.
   * @throws HandshakeError as soon as a line is invalid or a limit is exceeded
   */
  parse(chunk: Buffer): T | null {
    const text = this.#read(chunk)
    let from = 0
    for (let feed = text.indexOf('\n'); feed >= 0; feed = text.indexOf('\n', from)) {
      const head = this.#takeLine(this.#cutLine(text, from, feed))
      from = feed + 1
      if (head !== null) return this.#finish(head, chunk, from)
    }
    if (text.length < chunk.length) this.#failSize()
    this.#taken += chunk.length
    this.#held.push(chunk.subarray(from))
    return null
  }

  /** The part of the chunk that may belong to the head; bytes and characters have the same index. */
  #read(chunk: Buffer): string {
    let end = chunk.length
    if (end > SMALL_CHUNK) {
      const found = chunk.indexOf(HEAD_END)
      if (found >= 0) end = found + HEAD_END.length
    }
    return chunk.toString('latin1', 0, Math.min(end, this.#limits.maxHeaderSize - this.#taken))
  }

  #cutLine(text: string, from: number, feed: number): string {
    if (this.#held.length === 0) {
      // RFC 9112 §2.2: a line feed without CR is refused
      if (feed === from || text.charCodeAt(feed - 1) !== 13) this.#fail('WS_ERR_MALFORMED_HEAD', 'a bare line feed')
      return text.slice(from, feed - 1)
    }
    const line = this.#held.takeText() + text.slice(from, feed)
    if (!line.endsWith('\r')) this.#fail('WS_ERR_MALFORMED_HEAD', 'a bare line feed')
    return line.slice(0, -1)
  }

  /** Returns the whole head if this was the empty line at its end. */
  #takeLine(line: string): T | null {
    if (this.#head === null) this.#takeStart(line)
    else if (line === '') return this.#head
    else this.#takeField(line, this.#head)
    return null
  }

  #takeStart(line: string): void {
    // RFC 9112 §2.2 allows an empty line before a request; other clients accept it before a response too
    if (line === '' && !this.#skippedEmptyLine) {
      this.#skippedEmptyLine = true
      return
    }
    this.#head = this.#kind.start(line)
    if (this.#head === null) this.#fail('WS_ERR_MALFORMED_HEAD', 'the first line')
    if (!this.#kind.speaks(this.#head)) this.#fail('WS_ERR_HTTP_VERSION')
  }

  #takeField(line: string, head: T): void {
    if (head.rawHeaders.length >= this.#limits.maxHeaders * 2) this.#fail('WS_ERR_HEAD_TOO_LARGE', 'too many fields')
    const colon = line.indexOf(':')
    const name = line.slice(0, Math.max(colon, 0))
    // RFC 9112 §5.1, §5.2: this also refuses folded lines and white space before the colon
    if (!TOKEN.test(name)) this.#fail('WS_ERR_MALFORMED_HEAD', 'a field name')
    const value = trimBlanks(line, colon + 1, line.length)
    // RFC 9110 §5.5: includes a bare CR and NUL
    if (CONTROL.test(value)) this.#fail('WS_ERR_MALFORMED_HEAD', 'a control character in a field')
    head.rawHeaders.push(name, value)
    addHeader(head.headers, name.toLowerCase(), value)
  }

  #finish(head: T, chunk: Buffer, end: number): T {
    this.#head = null
    this.#skippedEmptyLine = false
    this.size = this.#taken + end
    this.#taken = 0
    this.rest = chunk.subarray(end)
    return head
  }

  #failSize(): never {
    if (this.#head === null) this.#fail(this.#kind.startTooLong)
    this.#fail('WS_ERR_HEAD_TOO_LARGE')
  }

  #fail(code: ErrorCode, detail?: string): never {
    const status = this.#kind.status(code)
    throw new HandshakeError(code, detail === undefined ? { status } : { status, detail })
  }
}
