// Header fields as pairs, as the object that applications read, and as a head on the wire. Checks nothing: pairs of the
// application have passed checkField before, and the handshake's own are right by construction.

import type { Headers } from '../errors.js'
import { Buffer } from '../runtime/node.js'
import { type Field, fieldLines } from './fields.js'

export type { Field } from './fields.js'

// Of these only the first line counts, as in node:http, so that an application meets the same values on either path
const FIRST_COUNTS = new Set([
  'age',
  'authorization',
  'content-length',
  'content-type',
  'etag',
  'expires',
  'from',
  'host',
  'if-modified-since',
  'if-unmodified-since',
  'last-modified',
  'location',
  'max-forwards',
  'proxy-authorization',
  'referer',
  'retry-after',
  'server',
  'user-agent'
])

// as `newHeaders`, for few fields whose names are known to be right: not a dictionary, which takes 160 bytes (benchmarks/questions/idle.js)
const OwnFields = function OwnFields() {} as unknown as { new (): Headers; prototype: object }
OwnFields.prototype = Object.create(null)

/** An object without a prototype: `__proto__` and `constructor` are names like any other. */
export function newHeaders(): Headers {
  return Object.create(null) as Headers
}

/** Adds a line of the lower-case name `name`, and joins repeated lines as node:http does. */
export function addHeader(headers: Headers, name: string, value: string): void {
  const earlier = headers[name]
  if (name === 'set-cookie') {
    // RFC 9110 §5.3: the one field whose lines cannot be joined
    if (earlier === undefined) headers[name] = [value]
    else (earlier as string[]).push(value)
  } else if (earlier === undefined) {
    headers[name] = value
  } else if (!FIRST_COUNTS.has(name)) {
    headers[name] = `${earlier as string}${name === 'cookie' ? '; ' : ', '}${value}`
  }
}

/** Fields of this side, which have passed `checkField`. */
export function toHeaders(fields: Iterable<Field>): Headers {
  const headers = new OwnFields()
  for (const [name, value] of fields) addHeader(headers, name.toLowerCase(), value)
  return headers
}

export function writeHead(startLine: string, fields: Iterable<Field>): Buffer {
  let head = `${startLine}\r\n`
  for (const [name, value] of fields) head += `${name}: ${value}\r\n`
  return Buffer.from(`${head}\r\n`, 'latin1')
}

/** `fields` with those of `more` in place of all that have the same names. */
export function replaceFields(fields: readonly Field[], more: readonly Field[]): readonly Field[] {
  if (more.length === 0) return fields
  const names = new Set(more.map(([name]) => name.toLowerCase()))
  return [...fields.filter(([name]) => !names.has(name.toLowerCase())), ...more]
}

/**
 * `fields` with one line for each of `value` in place of all lines named `name`.
 * @throws TypeError where the name or a value cannot be sent, or belongs to the handshake
 */
export function setField(fields: readonly Field[], name: string, value: string | readonly string[]): readonly Field[] {
  const lines = fieldLines(name, value)
  const lowerName = name.toLowerCase()
  return [...fields.filter(field => field[0].toLowerCase() !== lowerName), ...lines]
}

/** How many lines of the lower-case name `name` the raw list of names and values has. */
export function countLines(rawHeaders: readonly string[], name: string): number {
  let count = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    // comparing lengths first spares nearly all of the lower-casing
    const given = rawHeaders[i]!
    if (given.length === name.length && given.toLowerCase() === name) count++
  }
  return count
}
