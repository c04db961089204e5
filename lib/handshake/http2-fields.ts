// Header fields in HTTP/2: one object with lower-case names, pseudo-header fields, and no connection-specific fields (RFC 9113 §8.2, §8.3).
// Knows nothing of WebSockets but the form of their requests.

import type { Headers } from '../errors.js'
import type { UpgradeRequest } from '../options.js'
import { type Field, newHeaders, toHeaders } from './header-fields.js'
import { type Refusal, type RefusalOptions, refusal } from './refusal.js'

/** Header fields as `node:http2` takes and returns them. */
export type Http2Headers = { [name: string]: string | number | string[] | undefined }

/** The parts of a request's stream that are used. */
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

/** Fields for HTTP/2, without those that only HTTP/1.1 allows. */
export function toHttp2(fields: Iterable<Field>): Headers {
  return toHeaders([...fields].filter(([name]) => !OF_CONNECTION.has(name.toLowerCase())))
}

/** A response that refuses a request: `head` is sent, and the body after it. */
export interface Http2Refusal extends Pick<Refusal, 'status' | 'headers' | 'body'> {
  head: Http2Headers
}

/**
 * Like `refusal`, for HTTP/2.
 * @throws RangeError, TypeError if it cannot be sent
 */
export function http2Refusal(status: number, options?: RefusalOptions): Http2Refusal {
  // RFC 8441 §5: any 2xx would open the connection
  if (status < 300) throw new RangeError('on HTTP/2 the status of a refusal must be a whole number from 300 to 599')
  const { headers: all, body } = refusal(status, options)
  const headers = newHeaders()
  for (const name of Object.keys(all)) if (!OF_CONNECTION.has(name)) headers[name] = all[name]
  // RFC 8441 §4: in HTTP/2 a WebSocket is opened with CONNECT, not GET
  if (status === 405 && headers['allow'] === 'GET') headers['allow'] = 'CONNECT'
  return { head: { ':status': status, ...headers }, status, headers, body }
}

/** An extended CONNECT in the form of an HTTP/1.1 request: `:path` is its `url`, `:authority` its `Host` (RFC 9113 §8.3.1). */
export class Http2Request implements UpgradeRequest {
  readonly method: string
  readonly url: string
  readonly httpVersion = '2.0'
  /** The value of `:protocol` (RFC 8441 §4); '' for a plain CONNECT. */
  readonly protocol: string
  /** `https` or `http`. */
  readonly scheme: string
  /** The header fields without the pseudo-header fields. */
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

  /** The socket of the session, shared by all of its streams; undefined when it is gone. */
  get socket(): object | undefined {
    const session = this.stream?.session
    return session === undefined || session.destroyed ? undefined : session.socket
  }
}

/** The value of a pseudo-header field; '' if there is none. */
export function pseudo(head: Http2Headers, name: string): string {
  const value = head[name]
  return typeof value === 'string' ? value : ''
}
