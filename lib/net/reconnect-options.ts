// The options of `reconnect` as people give them come in; out come those of each connection, and how long to wait before the next.

import { checkNumber, checkOptions, checkTime, unknownOption } from '../checks.js'
import { type HeaderFields, type Keepalive, readOptions } from '../options.js'
import { CONNECT_OPTION_NAMES, type ConnectOptions, readConnectOptions } from './connect-options.js'

/** What `onRetry` is told before each pause. */
export interface RetryInfo {
  /** Why there is no connection: a HandshakeError, what ended the last one, or what a function for `url` or `headers` threw. */
  readonly error: Error
  /** Attempts in a row that came to nothing, this one included: 1 for the first. A connection that lasted begins anew. */
  readonly attempt: number
  /** Milliseconds until the next attempt. */
  readonly delay: number
}

/** Says whether to try again after an error; `undefined` leaves that to the default. What it throws ends the loop. */
export type RetryDecision = (error: Error, attempt: number) => boolean | undefined | PromiseLike<boolean | undefined>

/**
 * The options of `reconnect`: those of `connect` for each connection, and when the next is dialled. An unknown name or a wrong type is a
 * TypeError, NaN or a number out of range a RangeError; `undefined` means the default.
 */
export interface ReconnectOptions extends Omit<ConnectOptions, 'headers'> {
  /** More header fields of the request; or a function, called for each attempt, for tokens that expire. */
  headers?: HeaderFields | (() => HeaderFields | PromiseLike<HeaderFields>) | undefined
  /**
   * Pings a server that has been silent for `interval`, and gives the connection up where nothing comes within `timeout`; `false` turns
   * that off. Default: `{ interval: 30000 }`, so that a server that is frozen or out of reach is noticed.
   */
  keepalive?: Keepalive | false | undefined
  /** Milliseconds: the longest pause before the second attempt. Each pause is random, between 0 and its longest. Default: 1000. */
  initialDelay?: number | undefined
  /** Milliseconds: the longest pause before any attempt. Default: 30000. */
  maxDelay?: number | undefined
  /** By how much the longest pause grows with each attempt that comes to nothing; 1 or more. Default: 2. */
  factor?: number | undefined
  /** Attempts in a row after which the error of the last one is thrown. Default: Infinity. */
  maxAttempts?: number | undefined
  /** Milliseconds for which a connection has to last, so that attempts are counted from 0 again. Default: 5000. */
  minUptime?: number | undefined
  /**
   * Decides about each error, in place of the default: `false` throws it, `true` tries again. By default these are thrown: refusals with a
   * status below 500 other than 408, 425 and 429; answers that are no WebSocket's; certificates that are wrong, but for their dates; and
   * ends with one of the codes 1002, 1003, 1007 to 1010, 3000 and 3003.
   */
  retry?: RetryDecision | undefined
  /** Called before each pause. What it throws ends the loop. */
  onRetry?: ((info: RetryInfo) => void) | undefined
}

/** The options of `reconnect`, checked. */
export interface ReconnectSettings {
  /** Those of each connection, without `headers` where these come from a function. */
  readonly connection: ConnectOptions
  readonly headers: (() => HeaderFields | PromiseLike<HeaderFields>) | null
  readonly initialDelay: number
  readonly maxDelay: number
  readonly factor: number
  readonly maxAttempts: number
  readonly minUptime: number
  readonly retry: RetryDecision
  readonly onRetry: (info: RetryInfo) => void
}

const OWN_NAMES = ['initialDelay', 'maxDelay', 'factor', 'maxAttempts', 'minUptime', 'retry', 'onRetry']
const ALL_NAMES: readonly string[] = [...CONNECT_OPTION_NAMES, ...OWN_NAMES]

// as servers of this library do
const KEEPALIVE: Keepalive = { interval: 30_000 }

/** setTimeout fires at once for what does not fit in 31 bits. */
const LONGEST_DELAY = 2 ** 31 - 1

/** @throws TypeError, RangeError, SyntaxError where an option is wrong */
export function readReconnectOptions(options: ReconnectOptions = {}): ReconnectSettings {
  for (const name of Object.keys(checkOptions(options))) {
    if (!ALL_NAMES.includes(name)) throw unknownOption(name, ALL_NAMES)
  }
  const { initialDelay, maxDelay, factor, maxAttempts, minUptime, retry, onRetry, headers, keepalive, ...others } =
    options
  const makesHeaders = typeof headers === 'function'
  const connection = { ...others, headers: makesHeaders ? undefined : headers, keepalive: keepalive ?? KEEPALIVE }
  readOptions(readConnectOptions(connection).stream)
  return {
    connection,
    headers: makesHeaders ? headers : null,
    initialDelay: checkTime(initialDelay ?? 1000, 'initialDelay'),
    maxDelay: checkTime(maxDelay ?? 30_000, 'maxDelay'),
    factor: checkFactor(factor ?? 2),
    maxAttempts: checkNumber(maxAttempts ?? Number.POSITIVE_INFINITY, 'maxAttempts', 1),
    minUptime: checkTime(minUptime ?? 5000, 'minUptime'),
    retry: checkFunction(retry ?? undecided, 'retry'),
    onRetry: checkFunction(onRetry ?? undecided, 'onRetry')
  }
}

/**
 * Milliseconds to wait before the next attempt: random, so that a thousand clients of a server that restarts do not come back at once,
 * and behind what the server asked for.
 * @param attempt - attempts in a row that came to nothing
 * @param asked - milliseconds that the server asked for
 */
export function delayAfter(attempt: number, asked: number, settings: ReconnectSettings): number {
  const { initialDelay, factor, maxDelay } = settings
  // 0 * Infinity is no number
  const longest = initialDelay * Math.min(factor ** (attempt - 1), Number.MAX_VALUE)
  return Math.min(asked + Math.random() * Math.min(longest, maxDelay, LONGEST_DELAY), LONGEST_DELAY)
}

function checkFactor(value: unknown): number {
  if (typeof value !== 'number') throw new TypeError('factor must be a number')
  if (!(value >= 1)) throw new RangeError(`factor must be a number of at least 1, not ${value}`)
  return value
}

function checkFunction<T>(value: T, name: string): T {
  if (typeof value !== 'function') throw new TypeError(`${name} must be a function`)
  return value
}

function undecided(): undefined {}
