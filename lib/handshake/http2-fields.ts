// Header fields as HTTP/2 has them: one object, names in lower case, pseudo-fields among them, and none about the connection
// itself (RFC 9113 §8.2, §8.3). Knows nothing of WebSockets but how their requests look.

import type { Headers } from '../errors.js'
import type { UpgradeRequest } from '../options.js'
import { type Field, newHeaders, toHeaders } from './header-fields.js'
import { type Refusal, type RefusalOptions, refusal } from './refusal.js'

/** Header fields as `node:http2` takes and gives them. */
export type Http2Headers = { [name: string]: string | number | string[] | undefined }

/** What a request's stream is asked for. */
interface Stream {
  readonly session?: { readonly destroyed: boolean; readonly socket?: object } | undefined
}

// RFC 9113 §8.2.2
const OF_CONNECTION: ReadonlySet<string> = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade'
])

/** Fields for HTTP/2, without those that only HTTP/1.1 has. */
export function toHttp2(fields: Iterable<Field>): Headers {
  return toHeaders([...fields].filter(([name]) => !OF_CONNECTION.has(name.toLowerCase())))
}

/** An answer that refuses a request; what is sent is `head`, and the body behind it. */
export interface Http2Refusal extends Pick<Refusal, 'status' | 'headers' | 'body'> {
  head: Http2Headers
}

/**
 * As `refusal`, for HTTP/2.
 * @throws RangeError, TypeError where it cannot be sent
 */
export function http2Refusal(status: number, options?: RefusalOptions): Http2Refusal {
  // RFC 8441 §5: any other would open it
  if (status < 300) throw new RangeError('on HTTP/2 the status of a refusal must be a whole number from 300 to 599')
  const { headers: all, body } = refusal(status, options)
  const headers = newHeaders()
  for (const name of Object.keys(all)) if (!OF_CONNECTION.has(name)) headers[name] = all[name]
  // RFC 8441 §4: here it is not GET that opens a WebSocket
  if (status === 405 && headers['allow'] === 'GET') headers['allow'] = 'CONNECT'
  return { head: { ':status': status, ...headers }, status, headers, body }
}

/** An extended CONNECT in the form of an HTTP/1.1 request: `:path` is its `url`, `:authority` its `Host` (RFC 9113 §8.3.1). */
export class Http2Request implements UpgradeRequest {
  readonly method: string
  readonly url: string
  readonly httpVersion = '2.0'
  /** What is asked for beside plain CONNECT (RFC 8441 §4); '' for nothing. */
  readonly protocol: string
  /** `https`, or `http`. */
  readonly scheme: string
  /** Without the pseudo-fields. */
  readonly headers: Headers

  constructor(
    head: Http2Headers,
    private readonly stream: Stream | undefined
  ) {
    this.method = pseudo(head, ':method')
    this.url = pseudo(head, ':path')
    this.protocol = pseudo(head, ':protocol')
    this.scheme = pseudo(head, ':scheme')
    this.headers = newHeaders()
    const authority = pseudo(head, ':authority')
    if (authority !== '') this.headers['host'] = authority
    for (const [name, value] of Object.entries(head)) {
      if (!name.startsWith(':') && name !== 'host') this.headers[name] = value as string | string[] | undefined
    }
  }

  /** The socket of the session, which all of its streams share; undefined when it is gone. */
  get socket(): object | undefined {
    const session = this.stream?.session
    return session === undefined || session.destroyed ? undefined : session.socket
  }
}

/** The value of a pseudo-field; '' where there is none. */
export function pseudo(head: Http2Headers, name: string): string {
  const value = head[name]
  return typeof value === 'string' ? value : ''
}
