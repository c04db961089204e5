// What a server remembers of a handshake for as long as the connection lives: the request and the answer as one short string, taken
// apart when somebody asks. The objects that node:http makes of a request weigh a kilobyte (benchmarks/questions/idle.js).

import type { Headers } from '../errors.js'
import type { UpgradeRequest } from '../options.js'
import { isDraft } from '../protocol/draft-parser.js'
import { addHeader, newHeaders } from './header-fields.js'
import type { OpenInfo, ProtocolVersion } from './open-info.js'
import { requestUrl } from './request-target.js'
import { answerFields } from './server-handshake.js'

// neither stands in any head
const BETWEEN_FIELDS = '\n'
const BETWEEN_PARTS = '\0'
// words that most heads have, for each of which one character stands: a browser's head weighs less than half then
const WORDS = [
  ...['GET', '1.1', 'Host', 'Connection', 'Upgrade', 'keep-alive, Upgrade', 'websocket', 'Origin', 'User-Agent'],
  ...['Pragma', 'Cache-Control', 'no-cache', 'Accept', 'Accept-Encoding', 'Accept-Language', '*/*', 'gzip, deflate'],
  ...['gzip, deflate, br', 'gzip, deflate, br, zstd', 'Cookie', 'Sec-WebSocket-Key', 'Sec-WebSocket-Version', '13'],
  ...['Sec-WebSocket-Protocol', 'Sec-WebSocket-Extensions', 'permessage-deflate; client_max_window_bits']
]
const FIRST_SIGN = 0x80
const signs = new Map(WORDS.map((word, index) => [word, String.fromCharCode(FIRST_SIGN + index)]))
const words = new Map([...signs].map(([word, sign]) => [sign, word]))

/** An `OpenInfo` of a server that unfolds when it is read, and the request that led to it. */
export class HandshakeMemo implements OpenInfo {
  readonly version: ProtocolVersion
  private readonly socket: object | undefined
  private readonly packed: string
  // what few connections have stands in the prototype for all others (benchmarks/questions/idle.js)
  declare readonly protocol: string
  declare readonly extensions: string
  declare private secure: boolean

  static {
    Object.assign(HandshakeMemo.prototype, { protocol: '', extensions: '', secure: false })
  }

  private constructor(info: OpenInfo, socket: object | undefined, packed: string) {
    this.version = info.version
    this.socket = socket
    this.packed = packed
    if (info.protocol !== '') this.protocol = info.protocol
    if (info.extensions !== '') this.extensions = info.extensions
    if (info.url.startsWith('wss:')) this.secure = true
  }

  /** Null where the request is not of the kind that a parser of HTTP/1.1 makes, or is of a draft that has no such key. */
  static of(request: UpgradeRequest, info: OpenInfo): HandshakeMemo | null {
    const { method, url, httpVersion, rawHeaders, socket } = request
    if (!Array.isArray(rawHeaders) || isDraft(info.version)) return null
    // the first three fields of every answer follow from the request
    const answer = Object.entries(info.headers)
      .slice(3)
      .flatMap(([name, value]) => [value as string | string[]].flat().flatMap(line => [name, line]))
    const parts = [pack([method, url, httpVersion] as string[]), pack(rawHeaders), pack(answer)]
    return parts.includes(null) ? null : new HandshakeMemo(info, socket, parts.join(BETWEEN_PARTS))
  }

  get status(): number {
    return 101
  }

  get url(): string {
    return requestUrl(this.request, this.secure)
  }

  /** The header fields of the answer. */
  get headers(): Headers {
    const key = this.request.headers['sec-websocket-key'] as string
    return toHeaders([...answerFields(key).flat(), ...this.part(2)])
  }

  /** The request, made anew. */
  get request(): UpgradeRequest {
    const [method, url, httpVersion] = this.part(0)
    const rawHeaders = this.part(1)
    return { method, url, httpVersion: httpVersion!, headers: toHeaders(rawHeaders), rawHeaders, socket: this.socket }
  }

  private part(index: number): string[] {
    const part = this.packed.split(BETWEEN_PARTS)[index]!.split(BETWEEN_FIELDS)
    return part.map(word => words.get(word) ?? word)
  }
}

/** Null where a word would be taken for another. */
function pack(part: readonly string[]): string | null {
  let packed = ''
  let between = ''
  for (const word of part) {
    if (word.length === 1 && words.has(word)) return null
    packed += between + (signs.get(word) ?? word)
    between = BETWEEN_FIELDS
  }
  return packed
}

function toHeaders(raw: readonly string[]): Headers {
  const headers = newHeaders()
  // the last part is one empty string where there are no fields
  for (let i = 0; i + 1 < raw.length; i += 2) addHeader(headers, raw[i]!.toLowerCase(), raw[i + 1]!)
  return headers
}
