// A list of header fields that formats them as lines. Corresponds to lib/websocket/driver/headers of npm's websocket-driver, which
// faye-websocket imports by that path.

/** Fields that may be repeated. */
const REPEATED: readonly string[] = ['set-cookie', 'set-cookie2', 'warning', 'www-authenticate']

// RFC 9110 §5.5: characters that would end the line
const LINE_END = /[\r\n\0]/

/** A list of header fields that keeps the first value of each name. */
export class Headers {
  readonly #fields: { readonly name: string; readonly key: string; readonly value: string }[] = []

  /** Removes all fields. */
  clear(): void {
    this.#fields.length = 0
  }

  /**
   * Adds a field, unless one of the same name exists; `Set-Cookie` and three others may be repeated. `undefined` adds nothing.
   * @returns whether it was added
   * @throws TypeError if the name or the value would end the line
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
