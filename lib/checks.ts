// Checks of options; each throws at once, and says what would be valid.

/** @throws TypeError if it is not a number; RangeError if it is neither an integer of at least `least` nor Infinity */
export function checkNumber(value: unknown, name: string, least: number): number {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number, not ${show(value)}`)
  if (!(value >= least) || (value !== Number.POSITIVE_INFINITY && !Number.isSafeInteger(value))) {
    throw new RangeError(`${name} must be a whole number of at least ${least}, or Infinity, not ${value}`)
  }
  return value
}

/** Maximum delay of a timer in ms: setTimeout fires at once for one that does not fit into 31 bits. */
export const LONGEST_TIME = 2 ** 31 - 1

/** @throws TypeError if it is not a number; RangeError if it is not a valid time for a timer */
export function checkTime(value: unknown, name: string): number {
  if (typeof value !== 'number') throw new TypeError(`${name} must be a number of milliseconds, not ${show(value)}`)
  if (!(value >= 0)) throw new RangeError(`${name} must not be negative or NaN, but is ${value}`)
  if (value > LONGEST_TIME && value !== Number.POSITIVE_INFINITY) {
    throw new RangeError(`${name} must be at most ${LONGEST_TIME} ms, or Infinity, not ${value}`)
  }
  return value
}

/** @throws TypeError if it is not a boolean */
export function checkBoolean(value: unknown, name: string): boolean {
  if (typeof value !== 'boolean') throw new TypeError(`${name} must be true or false`)
  return value
}

/** @throws TypeError if it is not a function */
export function checkFunction<T>(value: T, name: string): T {
  if (typeof value !== 'function') throw new TypeError(`${name} must be a function`)
  return value
}

/** @throws TypeError if it is not a role */
export function checkRole(value: unknown): 'server' | 'client' {
  if (value !== 'server' && value !== 'client') throw new TypeError("role must be 'server' or 'client'")
  return value
}

/**
 * @throws TypeError if it is not an options object; for a list of subprotocols, as other libraries take, the message says where it belongs
 */
export function checkOptions<T extends object>(options: T): T {
  if (typeof options === 'string' || Array.isArray(options)) {
    throw new TypeError(`options must be an object; subprotocols go in it: { protocols: ${show(options)} }`)
  }
  if (typeof options !== 'object' || options === null) {
    throw new TypeError(`options must be an object, not ${show(options)}`)
  }
  return options
}

/** Options of other libraries, and what to write here: the name of an option, and possibly its value or the name in it. */
const ELSEWHERE = new Map([
  ['agent', 'createConnection'],
  ['auth', 'verify'],
  ['authenticate', 'verify'],
  ['ca', 'tls.ca'],
  ['cert', 'tls.cert'],
  ['delay', 'initialDelay'],
  ['family', 'socket.family'],
  ['followRedirects', 'maxRedirects'],
  ['fragmentationThreshold', 'fragmentSize'],
  ['handleProtocols', 'protocols: (offered, request) => choice'],
  ['heartbeat', 'keepalive: { interval, timeout }'],
  ['heartbeatInterval', 'keepalive: { interval }'],
  ['keepaliveInterval', 'keepalive: { interval }'],
  ['key', 'tls.key'],
  ['localAddress', 'socket.localAddress'],
  ['lookup', 'socket.lookup'],
  ['maxLength', 'maxMessageSize'],
  ['maxPayload', 'maxMessageSize'],
  ['maxPayloadLength', 'maxMessageSize'],
  ['maxReceivedFrameSize', 'maxFrameSize'],
  ['maxReceivedMessageSize', 'maxMessageSize'],
  ['maxReconnectionDelay', 'maxDelay'],
  ['maxRetries', 'maxAttempts'],
  ['maxTimeout', 'maxDelay'],
  ['minDelay', 'initialDelay'],
  ['minReconnectionDelay', 'initialDelay'],
  ['minTimeout', 'initialDelay'],
  ['passphrase', 'tls.passphrase'],
  ['perMessageDeflate', 'extensions: [permessageDeflate()]'],
  ['pfx', 'tls.pfx'],
  ['pingInterval', 'keepalive: { interval }'],
  ['pingTimeout', 'keepalive: { timeout }'],
  ['protocolVersion', 'version'],
  ['reconnectionAttempts', 'maxAttempts'],
  ['reconnectionDelay', 'initialDelay'],
  ['reconnectionDelayGrowFactor', 'factor'],
  ['reconnectionDelayMax', 'maxDelay'],
  ['rejectUnauthorized', 'tls.rejectUnauthorized'],
  ['retries', 'maxAttempts'],
  ['subprotocols', 'protocols'],
  ['timeout', 'handshakeTimeout'],
  ['verifyClient', 'verify']
])

/** Options of other clients whose place here is the URL. */
const IN_THE_URL = new Map([
  ['auth', 'put the user and the password into the URL'],
  ['socketPath', 'use a URL like ws+unix:///path/to.sock:/target']
])

/** The error for an unknown option. */
export function unknownOption(name: string, known: readonly string[], prefix = ''): TypeError {
  return new TypeError(`unknown option '${prefix}${name}'${hintFor(name, known, prefix)}`)
}

function hintFor(name: string, known: readonly string[], prefix: string): string {
  const elsewhere = ELSEWHERE.get(name)
  const isKnown = elsewhere !== undefined && known.includes(/^\w+/.exec(elsewhere)![0])
  // only a client that dials takes such a URL
  const place = known.includes('createConnection') ? IN_THE_URL.get(name) : undefined
  if (!isKnown && place !== undefined) return `; ${place}`
  const meant = isKnown ? elsewhere : nearest(name, known)
  return meant === undefined ? '' : `; did you mean '${prefix}${meant}'?`
}

/** The most similar known name; undefined if at least a third of the letters differ. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  const allowed = Math.floor(name.length / 3)
  const distances = known.map(other => ({ other, distance: distance(name.toLowerCase(), other.toLowerCase()) }))
  distances.sort((a, b) => a.distance - b.distance)
  return distances[0] !== undefined && distances[0].distance <= allowed ? distances[0].other : undefined
}

/** The number of letters to insert, remove or change (Levenshtein distance). */
export function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, i) => i)
  for (let i = 1; i <= one.length; i++) {
    const next = [i]
    for (let j = 1; j <= other.length; j++) {
      const changed = row[j - 1]! + (one[i - 1] === other[j - 1] ? 0 : 1)
      next.push(Math.min(changed, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[other.length]!
}

/** A value in short form for an error message. */
function show(value: unknown): string {
  if (typeof value === 'string' || Array.isArray(value)) return shorten(JSON.stringify(value))
  return typeof value === 'object' && value !== null ? 'an object' : String(value)
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text.replaceAll('"', "'").replaceAll("','", "', '")
}
