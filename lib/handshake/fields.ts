// The syntax of HTTP header fields (RFC 9110 §5). Checks names and values of the application before anything is sent.

/** RFC 9110 §5.6.2 */
export const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
/** RFC 9110 §5.5, without surrounding white space: visible characters, obs-text, and blanks between them */
export const FIELD_VALUE = /^(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?$/
/** RFC 9112 §3.2.1, and RFC 6455 §3: path and query, no fragment, no byte that could end the target or the line */
export const ORIGIN_FORM = /^\/[\x21\x22\x24-\x7e]*$/
/** RFC 9112 §7.1: the line before a chunk, with a size of at most 8 hexadecimal digits; extensions are ignored */
export const CHUNK_SIZE = /^([0-9A-Fa-f]{1,8})[\t ]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/

// The handshake sets these itself: RFC 6455 §4.1, §4.2.2, and RFC 9112 §6 for the framing of a body
const RESERVED = new Set([
  'connection',
  'upgrade',
  'content-length',
  'transfer-encoding',
  'sec-websocket-accept',
  'sec-websocket-extensions',
  'sec-websocket-key',
  'sec-websocket-key1',
  'sec-websocket-key2',
  'sec-websocket-location',
  'sec-websocket-protocol',
  'sec-websocket-version',
  'websocket-location',
  'websocket-origin',
  'websocket-protocol'
])

/** Whether the handshake sets the field of this lower-case name itself, so that the application may not. */
export function isReserved(name: string): boolean {
  return RESERVED.has(name)
}

/** @throws TypeError if `value` is not a token */
export function checkToken(value: string, what: string): void {
  if (!TOKEN.test(value)) throw new TypeError(`${what} must be a token: ${JSON.stringify(value)}`)
}

/** @throws TypeError if a header field cannot be sent, or the handshake sets it itself */
export function checkField(name: unknown, value: unknown): void {
  if (typeof name !== 'string') throw new TypeError('a header name must be a string')
  if (!TOKEN.test(name)) throw new TypeError(`invalid header name: ${JSON.stringify(name)}`)
  if (typeof value !== 'string') throw new TypeError(`header '${name}' must be a string or an array of strings`)
  if (!FIELD_VALUE.test(value)) throw new TypeError(`invalid value of header '${name}'`)
  if (isReserved(name.toLowerCase())) throw new TypeError(`header '${name}' is written by the handshake itself`)
}

/** One field line: its name as on the wire, and its value. */
export type Field = readonly [name: string, value: string]

/**
 * The lines of a field from the application: one for a string, one for each string of an array.
 * @throws TypeError if one cannot be sent, or the handshake sets the field itself
 */
export function fieldLines(name: unknown, value: unknown): Field[] {
  checkField(name, '')
  const lines: unknown[] = Array.isArray(value) ? [...value] : [value]
  return lines.map(line => {
    checkField(name, line)
    return [name as string, line as string]
  })
}
