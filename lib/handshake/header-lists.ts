// Parses the items of list fields (RFC 9110 §5.6.1). Reads the value once, without backtracking, so that it takes linear time.

import { TOKEN } from './fields.js'

/** The tokens of a list; null if an item is not a token. Empty items are ignored (RFC 9110 §5.6.1.2). */
export function listTokens(value: string): string[] | null {
  const tokens: string[] = []
  for (let from = 0, to = 0; from <= value.length; from = to + 1) {
    to = endOfItem(value, from)
    const item = trimBlanks(value, from, to)
    if (item === '') continue
    if (!TOKEN.test(item)) return null
    tokens.push(item)
  }
  return tokens
}

/** Whether an item of a list is `token`, ignoring case. Other items may be anything: `Upgrade` may contain `HTTP/2.0`. */
export function hasToken(value: string, token: string): boolean {
  const wanted = token.toLowerCase()
  // nearly always the value is only the token
  if (value.length <= wanted.length) return value.toLowerCase() === wanted
  for (let from = 0, to = 0; from <= value.length; from = to + 1) {
    to = endOfItem(value, from)
    if (trimBlanks(value, from, to).toLowerCase() === wanted) return true
  }
  return false
}

function endOfItem(value: string, from: number): number {
  const comma = value.indexOf(',', from)
  return comma < 0 ? value.length : comma
}

/** A part of `text` without surrounding blanks; RFC 9110 §5.6.3 has fewer of them than `trim`. */
export function trimBlanks(text: string, start: number, end: number): string {
  while (start < end && isBlank(text.charCodeAt(start))) start++
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

const isBlank = (code: number): boolean => code === 0x20 || code === 0x09

/** One item of `Sec-WebSocket-Extensions`. */
export interface ExtensionItem {
  name: string
  /** The normalized item: `name; parameter; parameter=value`. */
  text: string
  /** Whether a name in it is `__proto__`, which no extension has, and which could confuse a parser. */
  poisoned: boolean
}

// More than any set of extensions needs, and small enough for any parser
const MAX_EXTENSION_LIST = 4096

/** The items of a `Sec-WebSocket-Extensions` list; null if it is malformed (RFC 6455 §9.1) or too long. */
export function readExtensionList(value: string): ExtensionItem[] | null {
  if (value.length > MAX_EXTENSION_LIST) return null
  const scanner = new Scanner(value)
  const items: ExtensionItem[] = []
  do {
    scanner.skipBlanks()
    if (scanner.atEndOfItem()) continue
    const item = readExtension(scanner)
    if (item === null) return null
    items.push(item)
  } while (scanner.take(','))
  // a field without items offers nothing (RFC 9110 §5.6.1.2)
  return scanner.atEnd() ? items : null
}

/** extension-token *( ";" extension-param ) */
function readExtension(scanner: Scanner): ExtensionItem | null {
  const name = scanner.token()
  if (name === '') return null
  const item = { name, text: name, poisoned: name === '__proto__' }
  while (scanner.take(';')) {
    const parameter = scanner.token()
    if (parameter === '') return null
    if (parameter === '__proto__') item.poisoned = true
    item.text += `; ${parameter}`
    if (!scanner.take('=')) continue
    const value = scanner.take('"') ? scanner.quoted() : scanner.token()
    if (value === '') return null
    item.text += `=${value}`
  }
  return item
}

class Scanner {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  atEnd(): boolean {
    return this.#at === this.#text.length
  }

  atEndOfItem(): boolean {
    return this.atEnd() || this.#text[this.#at] === ','
  }

  skipBlanks(): void {
    while (isBlank(this.#text.charCodeAt(this.#at))) this.#at++
  }

  /** Whether `mark` is next; then skips it. Also skips blanks before it and after a separator. */
  take(mark: string): boolean {
    if (this.#text[this.#at] !== mark) return false
    this.#at++
    if (mark !== '"') this.skipBlanks()
    return true
  }

  /** The token that is next, or ''; skips the blanks after it. */
  token(): string {
    const start = this.#at
    while (isTokenCode(this.#text.charCodeAt(this.#at))) this.#at++
    const token = this.#text.slice(start, this.#at)
    this.skipBlanks()
    return token
  }

  /** The token in quotes, after the opening quote; '' if it is not a token (RFC 6455 §9.1). */
  quoted(): string {
    let token = ''
    for (let char = this.#text[this.#at]; char !== '"'; char = this.#text[this.#at]) {
      // RFC 9110 §5.6.4: a backslash escapes the next character
      if (char === '\\') char = this.#text[++this.#at]
      if (char === undefined || !isTokenCode(char.charCodeAt(0))) return ''
      token += char
      this.#at++
    }
    this.#at++
    this.skipBlanks()
    return token
  }
}

const TOKEN_CODES = Array.from({ length: 128 }, (_, code) => TOKEN.test(String.fromCharCode(code)))

const isTokenCode = (code: number): boolean => TOKEN_CODES[code] === true
