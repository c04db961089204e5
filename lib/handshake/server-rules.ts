// What the handshakes of every version share on the server's side: reading fields, checking the origin, choosing a subprotocol,
// refusing. Knows no version.

import { type ErrorCode, HandshakeError } from '../errors.js'
import type { Settings, UpgradeRequest } from '../options.js'
import { toHeaders } from './header-fields.js'
import { demandedFields } from './refusal.js'

/** @throws HandshakeError with the status that refuses the request, and the fields that go with it */
export function refuse(code: ErrorCode, status: number, detail?: string): never {
  const headers = toHeaders(demandedFields(status))
  throw new HandshakeError(code, detail === undefined ? { status, headers } : { status, headers, detail })
}

/**
 * The value of a field, its lines joined; undefined where there is none.
 * @param name - in lower case
 */
export function readField(request: UpgradeRequest, name: string): string | undefined {
  const value: unknown = request.headers[name]
  if (typeof value === 'string' || value === undefined) return value
  if (Array.isArray(value) && value.every(line => typeof line === 'string')) return value.join(', ')
  refuse('WS_ERR_BAD_REQUEST', 400, name)
}

/** Refuses a page that may not connect (RFC 6455 §10.2). */
export function checkOrigin(origin: string | undefined, request: UpgradeRequest, { origins }: Settings): void {
  if (origins === undefined) return
  const allowed =
    typeof origins === 'function' ? origins(origin, request) : origin !== undefined && origins.includes(origin)
  // A promise, for one, is not a yes
  if (allowed !== true) refuse('WS_ERR_FORBIDDEN_ORIGIN', 403)
}

/**
 * One of the subprotocols that were offered, or '' for none (RFC 6455 §4.2.2).
 * @param given - what the application says; undefined leaves it to `settings.protocols`
 * @throws TypeError where the application chose another
 */
export function chooseProtocol(
  offered: readonly string[],
  given: string | undefined,
  request: UpgradeRequest,
  { protocols }: Settings
): string {
  let choice: unknown = given
  if (given === undefined) {
    if (typeof protocols !== 'function') return offered.find(name => protocols.includes(name)) ?? ''
    if (offered.length === 0) return ''
    choice = protocols([...offered], request)
  }
  if (choice === undefined || choice === null || choice === false || choice === '') return ''
  if (!(offered as readonly unknown[]).includes(choice)) {
    throw new TypeError(`the subprotocol ${JSON.stringify(choice)} was not offered by the client`)
  }
  return choice as string
}
