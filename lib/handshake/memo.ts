// What a server remembers of a handshake for as long as the connection lives: the request and the answer as one string, taken apart
// when somebody asks. The objects that node:http makes of a request weigh a kilobyte (benchmarks/questions/idle.js).

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

/** An `OpenInfo` of a server that unfolds when it is read, and the request that led to it. */
export class HandshakeMemo implements OpenInfo {
  readonly version: ProtocolVersion
  readonly protocol: string
  readonly extensions: string
  private readonly socket: object | undefined
  private readonly secure: boolean
  private readonly packed: string

  private constructor(info: OpenInfo, socket: object | undefined, packed: string) {
    this.version = info.version
    this.protocol = info.protocol
    this.extensions = info.extensions
    this.secure = info.url.startsWith('wss:')
    this.socket = socket
    this.packed = packed
  }

  /** Null where the request is not of the kind that a parser of HTTP/1.1 makes, or is of a draft that has no such key. */
  static of(request: UpgradeRequest, info: OpenInfo): HandshakeMemo | null {
    const { method, url, httpVersion, rawHeaders, socket } = request
    if (!Array.isArray(rawHeaders) || isDraft(info.version)) return null
    // the first three fields of every answer follow from the request
    const answer = Object.entries(info.headers)
      .slice(3)
      .flatMap(([name, value]) => [value as string | string[]].flat().flatMap(line => [name, line]))
    const parts = [[method, url, httpVersion], rawHeaders, answer]
    const packed = parts.map(part => part.join(BETWEEN_FIELDS)).join(BETWEEN_PARTS)
    return new HandshakeMemo(info, socket, packed)
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
    return this.packed.split(BETWEEN_PARTS)[index]!.split(BETWEEN_FIELDS)
  }
}

function toHeaders(raw: readonly string[]): Headers {
  const headers = newHeaders()
  // the last part is one empty string where there are no fields
  for (let i = 0; i + 1 < raw.length; i += 2) addHeader(headers, raw[i]!.toLowerCase(), raw[i + 1]!)
  return headers
}
