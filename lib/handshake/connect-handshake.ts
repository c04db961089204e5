// Makes the CONNECT request for a host and port, and reads the proxy's response, or an error that contains it: RFC 9110 §9.3.6. Knows
// nothing of what goes through the tunnel.

import { HandshakeError, type Headers } from '../errors.js'
import { FIELD_VALUE } from './fields.js'
import type { HeadLimits, ResponseHead } from './head-parser.js'
import { type Field, replaceFields, writeHead } from './header-fields.js'
import { MAX_BODY, ResponseBody } from './response-body.js'
import { ResponseParser } from './response-parser.js'

/** A host and a port. */
export interface Authority {
  /** A name or an address; an IPv6 address with or without brackets. */
  host: string
  /** 1 to 65535. */
  port: number
}

export interface ConnectRequest extends HeadLimits {
  /** `host:port`, as returned by `readAuthority`. */
  readonly authority: string
  /** The application's header fields, already checked. */
  readonly headers: readonly Field[]
  /** The value of `Proxy-Authorization`; '' for none. */
  readonly authorization: string
}

/** The response of a proxy that opened a tunnel. */
export interface Connected {
  readonly status: number
  readonly headers: Headers
  /** The bytes after the response: the first from the tunnel. */
  readonly rest: Buffer
}

// RFC 3986 §3.2.2: a name or address
const HOST = /^(?:\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z\-._~!$&'()*+,;=%]+)$/

/**
 * The target of a tunnel in the form that CONNECT uses (RFC 9112 §3.2.3).
 * @throws TypeError if it is not a host and port; RangeError if the port is not from 1 to 65535
 */
export function readAuthority(target: string | Authority): string {
  const { host, port } = typeof target === 'string' ? splitAuthority(target) : checkAuthority(target)
  const bracketed = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
  // a host that passes here also passes any URL parser on the way
  if (!HOST.test(bracketed) || !URL.canParse(`http://${bracketed}/`)) {
    throw new TypeError(`not a host: ${JSON.stringify(host)}`)
  }
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    throw new RangeError('a port must be a number from 1 to 65535')
  return `${bracketed}:${port}`
}

function splitAuthority(target: string): Authority {
  const [, host = '', port] = /^(.*):(\d{1,5})$/s.exec(target) ?? []
  if (host === '') throw new TypeError(`not a host and a port: ${JSON.stringify(target)}`)
  return { host, port: Number(port) }
}

function checkAuthority(target: unknown): Authority {
  const { host, port } = (target ?? {}) as Partial<Authority>
  if (typeof host !== 'string' || typeof port !== 'number') throw new TypeError('a target must be a host and a port')
  return { host, port }
}

export class ConnectHandshake {
  readonly #request: ConnectRequest
  readonly #parser: ResponseParser
  #refusal: { head: ResponseHead; body: ResponseBody } | undefined

  /** @throws TypeError if `authorization` cannot be sent */
  constructor(request: ConnectRequest) {
    if (!FIELD_VALUE.test(request.authorization))
      throw new TypeError('authorization contains characters that cannot be sent')
    this.#request = request
    this.#parser = new ResponseParser(request)
  }

  /** Makes the request (RFC 9110 §9.3.6). */
  request(): Buffer {
    const { authority, authorization, headers } = this.#request
    const fields: Field[] = [['Host', authority]]
    // RFC 9110 §11.7.2
    if (authorization !== '') fields.push(['Proxy-Authorization', authorization])
    return writeHead(`CONNECT ${authority} HTTP/1.1`, replaceFields(fields, headers))
  }

  /**
   * Takes the next bytes of the response; null if it is not complete.
   * @throws HandshakeError if the response is invalid, or is not a 2xx and complete
   */
  receive(chunk: Buffer): Connected | null {
    if (this.#refusal !== undefined) return this.#takeBody(chunk)
    const head = this.#parser.parse(chunk)
    if (head === null) return null
    // this request did not ask the proxy for an upgrade: RFC 9110 §7.8
    if (head.status === 101) {
      const { status, headers } = head
      throw new HandshakeError('WS_ERR_BAD_RESPONSE', { detail: 'the proxy answered 101', status, headers })
    }
    const { status, headers } = head
    // RFC 9110 §9.3.6: any 2xx; its Content-Length and Transfer-Encoding are ignored
    if (status < 300) return { status, headers, rest: this.#parser.rest }
    this.#refusal = { head, body: new ResponseBody(head, MAX_BODY) }
    return this.#takeBody(this.#parser.rest)
  }

  /** Whether the head of a refusal has arrived; its body may be incomplete. */
  get isRefused(): boolean {
    return this.#refusal !== undefined
  }

  /** A refusal as far as it has arrived; null if there is none. */
  refused(): HandshakeError | null {
    if (this.#refusal === undefined) return null
    const { head, body } = this.#refusal
    const { status, headers } = head
    return new HandshakeError('WS_ERR_PROXY', { detail: String(status), status, headers, body: body.bytes })
  }

  /** The error if the wire ends too early: the refusal as far as it has arrived, or WS_ERR_BAD_RESPONSE. */
  ended(): HandshakeError {
    const detail = 'the proxy closed the connection without a response'
    return this.refused() ?? new HandshakeError('WS_ERR_BAD_RESPONSE', { detail })
  }

  /** The error on timeout: that refusal, or WS_ERR_HANDSHAKE_TIMEOUT. */
  late(): HandshakeError {
    return this.refused() ?? new HandshakeError('WS_ERR_HANDSHAKE_TIMEOUT', { detail: 'the proxy did not answer' })
  }

  #takeBody(chunk: Buffer): null {
    if (this.#refusal!.body.write(chunk)) throw this.refused()!
    return null
  }
}
