// Converts header fields between pairs, the object that applications read, and a head on the wire. Checks nothing: checkField has checked
// the application's fields, and the handshake's own are valid.

import type { Headers } from '../errors.js'
import { Buffer } from '../runtime/node.js'
import { type Field, fieldLines } from './fields.js'

export type { Field } from './fields.js'

// Only the first line of these counts, as in node:http, so that an application gets the same values either way
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

// like `newHeaders`, for a few fields with known names; a dictionary takes 160 bytes (benchmarks/questions/idle.js)
const OwnFields = function OwnFields() {} as unknown as { new (): Headers; prototype: object }
OwnFields.prototype = Object.create(null)

/** An object without a prototype: `__proto__` and `constructor` are ordinary names in it. */
export function newHeaders(): Headers {
  return Object.create(null) as Headers
}

/** Adds a line of the lower-case name `name`; joins repeated lines as in node:http. */
export function addHeader(headers: Headers, name: string, value: string): void {
  const earlier = headers[name]
  if (name === 'set-cookie') {
    // RFC 9110 §5.3: the only field whose lines cannot be joined
    if (earlier === undefined) headers[name] = [value]
    else (earlier as string[]).push(value)
  } else if (earlier === undefined) {
    headers[name] = value
  } else if (!FIRST_COUNTS.has(name)) {
    headers[name] = `${earlier as string}${name === 'cookie' ? '; ' : ', '}${value}`
  }
}

/** Header fields of this side, already checked by `checkField`. */
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

/** `fields`, with those in `more` replacing all of the same names. */
export function replaceFields(fields: readonly Field[], more: readonly Field[]): readonly Field[] {
  if (more.length === 0) return fields
  const names = new Set(more.map(([name]) => name.toLowerCase()))
  return [...fields.filter(([name]) => !names.has(name.toLowerCase())), ...more]
}

/**
 * `fields`, with one line for each of `value` replacing all lines named `name`.
 * @throws TypeError if the name or a value cannot be sent, or the handshake sets the field itself
 */
export function setField(fields: readonly Field[], name: string, value: string | readonly string[]): readonly Field[] {
  const lines = fieldLines(name, value)
  const lowerName = name.toLowerCase()
  return [...fields.filter(field => field[0].toLowerCase() !== lowerName), ...lines]
}

/** The number of lines of the lower-case name `name` in the raw list of names and values, which the application may have made. */
export function countLines(rawHeaders: readonly unknown[], name: string): number {
  let count = 0
  for (let i = 0; i < rawHeaders.length; i += 2) {
    // comparing lengths first avoids most calls of toLowerCase
    const given = rawHeaders[i]
    if (typeof given === 'string' && given.length === name.length && given.toLowerCase() === name) count++
  }
  return count
}
