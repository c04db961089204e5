// Checks an upgrade request with the error messages of `ws`, and writes refusals.

import { type IncomingMessage, type OutgoingHttpHeaders, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { TOKEN } from '../../handshake/fields.js'
import type { UpgradeRequest } from '../../index.js'

/** A rule that a request breaks. */
export interface RequestError {
  readonly status: number
  readonly message: string
  readonly headers?: OutgoingHttpHeaders
}

const KEY = /^[+/0-9A-Za-z]{22}==$/
const ITEM =
  /^[!#$%&'*+\-.0-9A-Z^_`|a-z~]+(?:[ \t]*;[ \t]*[!#$%&'*+\-.0-9A-Z^_`|a-z~]+(?:=(?:[!#$%&'*+\-.0-9A-Z^_`|a-z~]+|"[^"]*"))?)*$/

/** The first rule that a request breaks (RFC 6455 §4.2.1); null if it breaks none. */
export function checkRequest({ method, headers }: IncomingMessage, hasExtensions: boolean): RequestError | null {
  if (method !== 'GET') return { status: 405, message: 'Invalid HTTP method' }
  if (headers.upgrade?.toLowerCase() !== 'websocket') return { status: 400, message: 'Invalid Upgrade header' }
  if (!KEY.test(headers['sec-websocket-key'] ?? '')) {
    return { status: 400, message: 'Missing or invalid Sec-WebSocket-Key header' }
  }
  // a request made by the program itself may have a number
  const version = String(headers['sec-websocket-version'])
  if (version !== '13' && version !== '8') {
    const supported = { 'Sec-WebSocket-Version': '13, 8' }
    return { status: 400, message: 'Missing or invalid Sec-WebSocket-Version header', headers: supported }
  }
  const offer = headers['sec-websocket-extensions']
  if (!hasExtensions || offer === undefined || isOffer(offer)) return null
  return { status: 400, message: 'Invalid or unacceptable Sec-WebSocket-Extensions header' }
}

/** The parameters that a client may offer for permessage-deflate (RFC 7692 §7.1). */
const PARAMETERS: Record<string, RegExp> = {
  server_no_context_takeover: /^$/,
  client_no_context_takeover: /^$/,
  server_max_window_bits: /^(?:[89]|1[0-5])$/,
  client_max_window_bits: /^(?:|[89]|1[0-5])$/
}

function isOffer(offer: string): boolean {
  return offer.split(',').every(item => ITEM.test(item.trim()) && isDeflate(item.trim()))
}

/** Whether the parameters of permessage-deflate are valid; other extensions are not checked. */
function isDeflate(item: string): boolean {
  const [name, ...parameters] = item.split(';').map(part => part.trim())
  if (name !== 'permessage-deflate') return true
  const names = parameters.map(parameter => parameter.split('=', 1)[0]!)
  if (new Set(names).size !== names.length) return false
  return parameters.every(parameter => {
    const [key, value = ''] = parameter.split('=')
    return Object.hasOwn(PARAMETERS, key!) && PARAMETERS[key!]!.test(value.replace(/^"(.*)"$/, '$1'))
  })
}

/**
 * The request for the core. A request made by the program itself may have numbers as field values, and no Host; and a program may choose a
 * subprotocol that the client has not offered.
 */
export function forCore(request: IncomingMessage, offered: Set<string>, protocol: string): UpgradeRequest {
  const { method, url, headers, socket } = request
  const { host = 'localhost', 'sec-websocket-version': version } = headers
  const isOffered = protocol === '' || offered.has(protocol)
  if (typeof version === 'string' && headers.host !== undefined && isOffered) return request
  const fields: UpgradeRequest['headers'] = { ...headers, host, 'sec-websocket-version': String(version) }
  if (!isOffered) fields['sec-websocket-protocol'] = protocol
  return { method, url, socket, headers: fields }
}

/** The subprotocols that a client offers; null if the field is malformed. */
export function readProtocols({ headers }: IncomingMessage): Set<string> | null {
  const field = headers['sec-websocket-protocol']
  if (field === undefined) return new Set()
  const names = field.split(',').map(name => name.trim())
  const protocols = new Set(names)
  return protocols.size === names.length && names.every(name => TOKEN.test(name)) ? protocols : null
}

/** Answers with a status other than 101, and ends the connection. */
export function refuse(socket: Duplex, status: number, message?: string, headers: OutgoingHttpHeaders = {}): void {
  const reason = STATUS_CODES[status] ?? ''
  const body = message || reason
  const fields: OutgoingHttpHeaders = {
    Connection: 'close',
    'Content-Type': 'text/html',
    'Content-Length': Buffer.byteLength(body),
    ...headers
  }
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.once('finish', socket.destroy)
  socket.end(`HTTP/1.1 ${status} ${reason}\r\n${lines.join('')}\r\n${body}`)
}
