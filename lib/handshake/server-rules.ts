// What the server handshakes of all versions share: reading fields, checking the origin, choosing a subprotocol, refusing.

import { type ErrorCode, HandshakeError } from '../errors.js'
import type { Settings, UpgradeRequest } from '../options.js'
import { toHeaders } from './header-fields.js'
import { listTokens, readExtensionList } from './header-lists.js'
import { demandedFields } from './refusal.js'

/** @throws HandshakeError with the status that refuses the request, and the header fields that belong to it */
export function refuse(code: ErrorCode, status: number, detail?: string): never {
  const headers = toHeaders(demandedFields(status))
  throw new HandshakeError(code, detail === undefined ? { status, headers } : { status, headers, detail })
}

/**
 * The value of a field, its lines joined; undefined if there is none.
 * @param name - in lower case
 */
export function readField(request: UpgradeRequest, name: string): string | undefined {
  const value: unknown = request.headers[name]
  if (typeof value === 'string' || value === undefined) return value
  if (Array.isArray(value) && value.every(line => typeof line === 'string')) return value.join(', ')
  refuse('WS_ERR_BAD_REQUEST', 400, name)
}

/** The subprotocols that a client offers. */
export function readProtocols(request: UpgradeRequest): readonly string[] {
  const value = readField(request, 'sec-websocket-protocol')
  if (value === undefined) return []
  const tokens = listTokens(value)
  // RFC 6455 §4.1: at least one, each a token, no duplicates
  if (tokens === null || tokens.length === 0 || new Set(tokens).size !== tokens.length) {
    refuse('WS_ERR_BAD_REQUEST', 400, 'Sec-WebSocket-Protocol')
  }
  return tokens
}

/** The extensions that a client offers, normalized; '' for none. `readExtensionList` accepts it. */
export function readExtensions(request: UpgradeRequest): string {
  const value = readField(request, 'sec-websocket-extensions')
  if (value === undefined) return ''
  // RFC 6455 §9.1
  const items = readExtensionList(value)
  if (items === null) refuse('WS_ERR_BAD_REQUEST', 400, 'Sec-WebSocket-Extensions')
  // these must not reach the parser of websocket-extensions
  const offers = items.filter(item => !item.poisoned)
  return offers.map(item => item.text).join(', ')
}

/** Refuses a request whose Origin is not allowed; if `origins` is a list, also one without Origin (RFC 6455 §10.2). */
export function checkOrigin(origin: string | undefined, request: UpgradeRequest, { origins }: Settings): void {
  if (origins === undefined) return
  const allowed =
    typeof origins === 'function'
      ? call('origins', () => origins(origin, request))
      : origin !== undefined && origins.includes(origin)
  // anything but true refuses, such as a promise
  if (allowed === true) return
  const isMissing = origin === undefined && typeof origins !== 'function'
  refuse('WS_ERR_FORBIDDEN_ORIGIN', 403, isMissing ? 'the request has no Origin, and origins is set' : undefined)
}

/** Calls a function of the options. @throws HandshakeError with 500 if it throws */
function call<T>(name: string, callback: () => T): T {
  try {
    return callback()
  } catch (cause) {
    throw new HandshakeError('WS_ERR_REJECTED', { status: 500, detail: `the ${name} callback threw`, cause })
  }
}

/**
 * One of the offered subprotocols, or '' for none (RFC 6455 §4.2.2).
 * @param given - the application's choice; undefined leaves it to `settings.protocols`
 * @throws TypeError if `given` was not offered; HandshakeError with 500 if the protocols callback chooses one that was not offered, or
 * throws
 */
export function chooseProtocol(
  offered: readonly string[],
  given: string | undefined,
  request: UpgradeRequest,
  { protocols }: Settings
): string {
  if (given !== undefined) return checkChoice(given, offered)
  if (typeof protocols !== 'function') return offered.find(name => protocols.includes(name)) ?? ''
  if (offered.length === 0) return ''
  const choice = call('protocols', () => protocols([...offered], request))
  try {
    return checkChoice(choice, offered)
  } catch (cause) {
    const detail = 'the protocols callback chose a subprotocol that was not offered'
    throw new HandshakeError('WS_ERR_REJECTED', { status: 500, detail, cause })
  }
}

function checkChoice(choice: unknown, offered: readonly unknown[]): string {
  if (choice === undefined || choice === null || choice === false || choice === '') return ''
  if (offered.includes(choice)) return choice as string
  throw new TypeError(`the subprotocol ${JSON.stringify(choice)} was not offered by the client`)
}
