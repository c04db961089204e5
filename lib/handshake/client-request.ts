// What a client's handshake has in common in HTTP/1.1 and HTTP/2: the target and the header fields of the request, the offer, and the checks
// of what the server chose from it. Knows neither form of a request or response.

import { HandshakeError, type Headers } from '../errors.js'
import type { Settings } from '../options.js'
import { readUrl, type Target, withTarget } from './client-url.js'
import { FIELD_VALUE } from './fields.js'
import { type Field, setField } from './header-fields.js'
import { type ExtensionItem, readExtensionList } from './header-lists.js'

/** The parts of a response that its checks read, and that an error reports. */
export interface StatusAndHeaders {
  readonly status: number
  readonly headers: Headers
}

export abstract class ClientRequest {
  protected readonly settings: Settings
  protected readonly protocols: readonly string[]
  protected target: Target
  /** The application's header fields, including those of setHeader. */
  fields: readonly Field[]
  private offered: readonly ExtensionItem[] = []

  /**
   * @throws SyntaxError if the URL is not a WebSocket URL
   * @throws TypeError if the URL contains control characters, or an option is for servers only
   */
  constructor(url: string | URL, settings: Settings) {
    if (typeof settings.protocols === 'function')
      throw new TypeError('on a client, protocols must be a string or an array of strings')
    this.settings = settings
    this.protocols = settings.protocols
    this.target = readUrl(url)
    this.fields = settings.headers
  }

  /** `ws:` or `wss:`, without user name and password. */
  get url(): string {
    return this.target.url
  }

  /**
   * Requests this path and query, byte for byte, instead of the URL's.
   * @throws TypeError if they are not allowed in a request
   */
  askFor(path: string): void {
    this.target = withTarget(this.target, path)
  }

  /**
   * Sets a header field of the request, replacing an earlier one of the same name; an array makes several lines.
   * @throws TypeError if it cannot be sent, or the handshake sets it itself
   */
  setHeader(name: string, value: string | readonly string[]): void {
    this.fields = setField(this.fields, name, value)
  }

  /** Takes the offer of extensions, with which the response is compared. @throws TypeError if it is malformed */
  protected offer(extensions: string): void {
    const offered = extensions === '' ? [] : readExtensionList(extensions)
    if (offered === null || !FIELD_VALUE.test(extensions)) throw new TypeError('malformed offer of extensions')
    this.offered = offered
  }

  /** The subprotocol that the server chose; '' for none. @throws HandshakeError if it was not offered (RFC 6455 §4.1) */
  protected readProtocol(response: StatusAndHeaders): string {
    const protocol = fieldOf(response, 'sec-websocket-protocol')
    if (protocol === undefined) return ''
    if (!this.protocols.includes(protocol)) {
      invalidResponse(response, 'sec-websocket-protocol', 'a subprotocol that was not offered')
    }
    return protocol
  }

  /** The extensions that the server chose; '' for none. @throws HandshakeError if one was not offered (RFC 6455 §9.1) */
  protected readExtensions(response: StatusAndHeaders): string {
    const field = 'sec-websocket-extensions'
    const value = fieldOf(response, field)
    if (value === undefined) return ''
    const items = readExtensionList(value)
    if (items === null) invalidResponse(response, field, 'malformed Sec-WebSocket-Extensions')
    for (const { name, poisoned } of items) {
      if (!this.offered.some(item => item.name === name)) {
        invalidResponse(response, field, 'an extension that was not offered', name)
      }
      if (poisoned) invalidResponse(response, field, 'an unknown parameter of an extension')
    }
    return items.map(item => item.text).join(', ')
  }
}

/** The value of a field, its lines joined (RFC 6455, erratum 3433); undefined if there is none. */
export function fieldOf({ headers }: StatusAndHeaders, name: string): string | undefined {
  const value = headers[name]
  return Array.isArray(value) ? value.join(', ') : value
}

/**
 * @param field - the name of the wrong field in lower case
 * @param extension - the extension that was not offered
 * @throws HandshakeError always
 */
export function invalidResponse(
  { status, headers }: StatusAndHeaders,
  field: string,
  detail: string,
  extension?: string
): never {
  const details = extension === undefined ? { field } : { field, extension }
  throw new HandshakeError('WS_ERR_BAD_RESPONSE', { status, headers, detail, details })
}
