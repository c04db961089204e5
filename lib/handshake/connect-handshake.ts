// The name of a place comes in, the CONNECT request for it comes out; then bytes of the proxy come in, and what it answered
// comes out, or an error that holds it: RFC 9110 §9.3.6. Knows nothing of what goes through the tunnel.

import { HandshakeError, type Headers } from '../errors.js'
import { AnswerParser } from './answer-parser.js'
import { FIELD_VALUE } from './fields.js'
import type { HeadLimits, ResponseHead } from './head-parser.js'
import { type Field, replaceFields, writeHead } from './header-fields.js'
import { ResponseBody } from './response-body.js'

/** A host and a port. */
export interface Authority {
  /** A name, or an address; that of IPv6 with or without brackets. */
  host: string
  /** 1 to 65535. */
  port: number
}

export interface ConnectRequest extends HeadLimits {
  /** `host:port`, as `readAuthority` gives it. */
  readonly authority: string
  /** Fields of the application, checked. */
  readonly headers: readonly Field[]
  /** The value of `Proxy-Authorization`; '' for none. */
  readonly authorization: string
}

/** What a proxy answered that opened a tunnel. */
export interface Connected {
  readonly status: number
  readonly headers: Headers
  /** The bytes behind the answer: the first ones out of the tunnel. */
  readonly rest: Buffer
}

/** Bytes of the body of a refusal that are kept. */
const MAX_BODY = 65536

// RFC 3986 §3.2.2: a name or address
const HOST = /^(?:\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z\-._~!$&'()*+,;=%]+)$/

/**
 * Where a tunnel leads, as CONNECT names it (RFC 9112 §3.2.3).
 * @throws TypeError where it is no host and port, RangeError where the port is none of 1 to 65535
 */
export function readAuthority(target: string | Authority): string {
  const { host, port } = typeof target === 'string' ? splitAuthority(target) : checkAuthority(target)
  const bracketed = host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
  // what passes here also passes through whatever parses URLs on the way
  if (!HOST.test(bracketed) || !URL.canParse(`http://${bracketed}/`)) {
    throw new TypeError(`not a host: ${JSON.stringify(host)}`)
  }
  if (!Number.isInteger(port) || port < 1 || port > 65535) throw new RangeError('a port is a number from 1 to 65535')
  return `${bracketed}:${port}`
}

function splitAuthority(target: string): Authority {
  const [, host = '', port] = /^(.*):(\d{1,5})$/s.exec(target) ?? []
  if (host === '') throw new TypeError(`not a host and a port: ${JSON.stringify(target)}`)
  return { host, port: Number(port) }
}

function checkAuthority(target: unknown): Authority {
  const { host, port } = (target ?? {}) as Partial<Authority>
  if (typeof host !== 'string' || typeof port !== 'number') throw new TypeError('a target is a host and a port')
  return { host, port }
}

export class ConnectHandshake {
  readonly #request: ConnectRequest
  readonly #parser: AnswerParser
  #refusal: { head: ResponseHead; body: ResponseBody } | undefined

  /** @throws TypeError where `authorization` cannot be sent */
  constructor(request: ConnectRequest) {
    if (!FIELD_VALUE.test(request.authorization)) throw new TypeError('authorization cannot be sent as it is')
    this.#request = request
    this.#parser = new AnswerParser(request)
  }

  /** Writes the request (RFC 9110 §9.3.6). */
  request(): Buffer {
    const { authority, authorization, headers } = this.#request
    const fields: Field[] = [['Host', authority]]
    // RFC 9110 §11.7.2
    if (authorization !== '') fields.push(['Proxy-Authorization', authorization])
    return writeHead(`CONNECT ${authority} HTTP/1.1`, replaceFields(fields, headers))
  }

  /**
   * Takes the next bytes of the answer; null where it goes on behind them.
   * @throws HandshakeError where the answer is wrong, or is another than 2xx and complete
   */
  receive(chunk: Buffer): Connected | null {
    if (this.#refusal !== undefined) return this.#takeBody(chunk)
    const head = this.#parser.parse(chunk)
    if (head === null) return null
    // no other protocol was asked for on the way to the proxy: RFC 9110 §7.8
    if (head.status === 101) {
      const { status, headers } = head
      throw new HandshakeError('WS_ERR_BAD_RESPONSE', { detail: 'the proxy answered 101', status, headers })
    }
    const { status, headers } = head
    // RFC 9110 §9.3.6: any 2xx, and what it says of a body means nothing
    if (status < 300) return { status, headers, rest: this.#parser.rest }
    this.#refusal = { head, body: new ResponseBody(head, MAX_BODY) }
    return this.#takeBody(this.#parser.rest)
  }

  /** Whether the head of a refusal is there, whose body may be still to come. */
  get isRefused(): boolean {
    return this.#refusal !== undefined
  }

  /** A refusal as far as it came; null where there is none. */
  refused(): HandshakeError | null {
    if (this.#refusal === undefined) return null
    const { head, body } = this.#refusal
    const { status, headers } = head
    return new HandshakeError('WS_ERR_PROXY', { detail: String(status), status, headers, body: body.bytes })
  }

  /** The error where the wire ends too early: a refusal as far as it came, or that there was none. */
  ended(): HandshakeError {
    const detail = 'the proxy closed the connection without one'
    return this.refused() ?? new HandshakeError('WS_ERR_BAD_RESPONSE', { detail })
  }

  /** The error where the answer takes too long: likewise. */
  late(): HandshakeError {
    return this.refused() ?? new HandshakeError('WS_ERR_HANDSHAKE_TIMEOUT', { detail: 'the proxy did not answer' })
  }

  #takeBody(chunk: Buffer): null {
    if (this.#refusal!.body.write(chunk)) throw this.refused()!
    return null
  }
}
