// Bytes of a wire come in, in pieces of any size; HTTP/1.1 request or response heads come out (RFC 9112), and what lay
// behind them. Strict: whatever two parsers could read in two ways is refused. Does not know what the fields mean.

import { type ErrorCode, HandshakeError, type Headers } from '../errors.js'
import { Buffer } from '../runtime/node.js'
import { ByteStore } from './byte-store.js'
import { TOKEN } from './fields.js'
import { addHeader, newHeaders } from './header-fields.js'
import { trimBlanks } from './header-lists.js'

interface Head {
  httpVersion: string
  /** By lower-case name, repeated lines joined as `node:http` does. */
  headers: Headers
  /** Names and values by turns, as they came. */
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
  /** Bytes of a head, the empty line at its end included. */
  readonly maxHeaderSize: number
  /** Field lines of a head. */
  readonly maxHeaders: number
}

/** What tells request heads from response heads: `REQUEST` or `RESPONSE`. */
export interface HeadKind<T extends Head> {
  /** Reads the first line; null where it is malformed. */
  start(line: string): T | null
  /** Whether this side speaks the version of that first line. */
  speaks(head: T): boolean
  /** What a first line that is longer than a whole head may be is called. */
  readonly startTooLong: ErrorCode
  /** The status that answers an error. */
  status(code: ErrorCode): number
}

// RFC 9112 §3: single spaces, and no fragment of any other white space
const REQUEST_LINE = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e]+) HTTP\/(\d\.\d)$/
// RFC 9112 §4; the space before an empty reason is often left out, and nothing else can be meant
const STATUS_LINE = /^HTTP\/(\d\.\d) ([1-5]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/
// RFC 9110 §5.5: what a value cannot hold
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/

const STATUS: Partial<Record<ErrorCode, number>> = {
  WS_ERR_MALFORMED_HEAD: 400,
  WS_ERR_TARGET_TOO_LONG: 414, // RFC 9110 §15.5.15
  WS_ERR_HEAD_TOO_LARGE: 431, // RFC 6585 §5
  WS_ERR_HTTP_VERSION: 505 // RFC 9110 §15.6.6
}

/** Request heads; errors carry the status that answers them. */
export const REQUEST: HeadKind<RequestHead> = {
  start(line) {
    const parts = REQUEST_LINE.exec(line)
    if (parts === null) return null
    return { method: parts[1]!, url: parts[2]!, httpVersion: parts[3]!, headers: newHeaders(), rawHeaders: [] }
  },
  // a WebSocket needs 1.1 or higher, which is said later; an application may answer 1.0
  speaks: head => head.httpVersion[0] === '1',
  startTooLong: 'WS_ERR_TARGET_TOO_LONG',
  status: code => STATUS[code]!
}

/** Response heads; errors have status 0, since nothing was received. HTTP/1.0 is read: proxies refuse with it. */
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

// A string cut from a larger one keeps all of it alive; up to here that is not worth a search for the end of the head
const SMALL_CHUNK = 1024
const HEAD_END = Buffer.from('\r\n\r\n')
const NOTHING = Buffer.alloc(0)

/** Parses one head after another; after an error it is of no more use. */
export class HeadParser<T extends RequestHead | ResponseHead> {
  /** After a head: the bytes behind it in the last chunk, a view that may be empty. */
  rest: Buffer = NOTHING
  /** After a head: how many bytes it had. */
  size = 0

  readonly #kind: HeadKind<T>
  readonly #limits: HeadLimits
  /** The line that has no end yet. */
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
   * Takes the next bytes; null where the head goes on behind them.
   * @throws HandshakeError as soon as a wrong line, or a byte too many, is there
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

  /** As much of the chunk as may belong to the head: byte and character have the same index. */
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
      // RFC 9112 §2.2: a line feed alone ends no line here
      if (feed === from || text.charCodeAt(feed - 1) !== 13) this.#fail('WS_ERR_MALFORMED_HEAD', 'a bare line feed')
      return text.slice(from, feed - 1)
    }
    const line = this.#held.takeText() + text.slice(from, feed)
    if (!line.endsWith('\r')) this.#fail('WS_ERR_MALFORMED_HEAD', 'a bare line feed')
    return line.slice(0, -1)
  }

  /** The whole head, where this was the empty line at its end. */
  #takeLine(line: string): T | null {
    if (this.#head === null) this.#takeStart(line)
    else if (line === '') return this.#head
    else this.#takeField(line, this.#head)
    return null
  }

  #takeStart(line: string): void {
    // RFC 9112 §2.2, and what others do for answers as well
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
    // RFC 9112 §5.1, §5.2: this refuses folded lines and white space before the colon, too
    if (!TOKEN.test(name)) this.#fail('WS_ERR_MALFORMED_HEAD', 'a field name')
    const value = trimBlanks(line, colon + 1, line.length)
    // RFC 9110 §5.5: among these, a bare CR and NUL
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
