// Header fields by name and value come in, their lines as text go out. What npm's websocket-driver has under lib/websocket/driver/headers,
// which faye-websocket takes by that path.

/** Fields of which there may be several lines. */
const REPEATED: readonly string[] = ['set-cookie', 'set-cookie2', 'warning', 'www-authenticate']

// RFC 9110 §5.5: what would end the line
const LINE_END = /[\r\n\0]/

/** A list of header fields in which the first value of a name stays. */
export class Headers {
  readonly #fields: { readonly name: string; readonly key: string; readonly value: string }[] = []

  /** Removes all fields. */
  clear(): void {
    this.#fields.length = 0
  }

  /**
   * Adds a field, unless one of that name is there; `Set-Cookie` and three others may be repeated. `undefined` adds nothing.
   * @returns whether it was added
   * @throws TypeError where the name or the value would end the line
   */
  set(name: unknown, value: unknown): boolean {
    if (value === undefined) return false
    const field = { name: trim(name), key: trim(name).toLowerCase(), value: trim(value) }
    if (this.get(field.key).length > 0 && !REPEATED.includes(field.key)) return false
    this.#fields.push(field)
    return true
  }

  /** The values of the fields of a lower-case name. */
  get(key: string): string[] {
    return this.#fields.filter(field => field.key === key).map(({ value }) => value)
  }

  /** Names and values. */
  *[Symbol.iterator](): IterableIterator<[name: string, value: string]> {
    for (const { name, value } of this.#fields) yield [name, value]
  }

  /** The fields as lines, each with its end. */
  toString(): string {
    return this.#fields.map(({ name, value }) => `${name}: ${value}\r\n`).join('')
  }
}

function trim(value: unknown): string {
  const text = String(value)
  if (LINE_END.test(text)) throw new TypeError(`a header field must be one line: ${JSON.stringify(text)}`)
  return text.replace(/^ +| +$/g, '')
}
