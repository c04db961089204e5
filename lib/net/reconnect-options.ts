// Reads the options of `reconnect`: those of each connection, and those for the delay before the next.

import { checkFunction, checkNumber, checkOptions, checkTime, LONGEST_TIME, unknownOption } from '../checks.js'
import { type HeaderFields, type Keepalive, readOptions } from '../options.js'
import { CONNECT_OPTION_NAMES, type ConnectOptions, readConnectOptions } from './connect-options.js'

/** The argument of `onRetry`, which is called before each pause. */
export interface RetryInfo {
  /**
   * Why there is no connection: a HandshakeError, the error that ended the last one, or an exception of the `url` or `headers` function.
   */
  readonly error: Error
  /** Number of failed attempts in a row, including this one: 1 for the first. Reset after a connection that lasted `minUptime`. */
  readonly attempt: number
  /** Time in ms until the next attempt. */
  readonly delay: number
}

/** Decides whether to try again after an error; `undefined` leaves that to the default. If it throws, the loop throws that. */
export type RetryDecision = (error: Error, attempt: number) => boolean | undefined | PromiseLike<boolean | undefined>

/**
 * The options of `reconnect`: those of `connect` for each connection, and when to dial the next. An unknown name or a wrong type is a
 * TypeError, NaN or a number out of range a RangeError; `undefined` means the default.
 */
export interface ReconnectOptions extends Omit<ConnectOptions, 'headers'> {
  /** More header fields of the request; or a function called for each attempt, for tokens that expire. */
  headers?: HeaderFields | (() => HeaderFields | PromiseLike<HeaderFields>) | undefined
  /**
   * Sends a Ping to a server that has been silent for `interval`, and ends the connection if nothing arrives within `timeout`; `false`
   * disables this. Default: `{ interval: 30000 }`, which detects a server that hangs or is unreachable.
   */
  keepalive?: Keepalive | false | undefined
  /** The longest pause before the second attempt, in ms. Each pause is random, between 0 and its longest. Default: 1000. */
  initialDelay?: number | undefined
  /** The longest pause before any attempt, in ms, besides the time in a `Retry-After`, which is waited for in full. Default: 30000. */
  maxDelay?: number | undefined
  /** Factor by which the longest pause grows with each failed attempt; at least 1. Default: 2. */
  factor?: number | undefined
  /** Number of failed attempts in a row after which the last error is thrown. Default: Infinity. */
  maxAttempts?: number | undefined
  /** Time in ms that a connection must last to reset the number of attempts. Default: 5000. */
  minUptime?: number | undefined
  /**
   * Decides about each error instead of the default: `false` throws it, `true` tries again. By default these errors are thrown: refusals
   * with a status below 500 other than 408, 425 and 429; responses that are not a WebSocket server's; invalid certificates, unless only
   * their dates are wrong; and closes with 1002, 1003, 1007 to 1010, 3000 and 3003.
   */
  retry?: RetryDecision | undefined
  /** Called before each pause. If it throws, the loop throws that. */
  onRetry?: ((info: RetryInfo) => void) | undefined
}

/** The checked options of `reconnect`. */
export interface ReconnectSettings {
  /** The options of each connection, without `headers` if that is a function. */
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

// the same default as for acceptors
const KEEPALIVE: Keepalive = { interval: 30_000 }

/** @throws TypeError, RangeError, SyntaxError if an option is invalid */
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
 * The time in ms to wait before the next attempt: random, so that the clients of a server that restarts do not all reconnect at the same
 * time, and added to the time that the server asked for.
 * @param attempt - number of failed attempts in a row
 * @param asked - time in ms that the server asked for
 */
export function delayAfter(attempt: number, asked: number, settings: ReconnectSettings): number {
  const { initialDelay, factor, maxDelay } = settings
  // 0 * Infinity is NaN
  const longest = initialDelay * Math.min(factor ** (attempt - 1), Number.MAX_VALUE)
  return Math.min(asked + Math.random() * Math.min(longest, maxDelay, LONGEST_TIME), LONGEST_TIME)
}

function checkFactor(value: unknown): number {
  if (typeof value !== 'number') throw new TypeError('factor must be a number')
  if (!(value >= 1)) throw new RangeError(`factor must be a number of at least 1, not ${value}`)
  return value
}

function undecided(): undefined {}
