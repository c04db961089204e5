// The options of npm's websocket-driver come in, those of a WebSocketStream go out.

import type { WebSocketOptions } from '../../index.js'

/** The options of a driver. */
export interface DriverOptions {
  /** Bytes of one message that arrives; beyond it the connection fails with 1009. Default, also for 0: 2^26-1. */
  maxLength?: number | undefined
  /** Subprotocols: an array, or names in a string, between commas. */
  protocols?: string | readonly string[] | null | undefined
  /** Server: accept hixie-75 and hixie-76 too. Default: false. */
  allowDrafts?: boolean | undefined
  /** Whether frames that are sent are masked. Default: a client's are, a server's are not. */
  masking?: boolean | undefined
  /** False takes frames of the peer masked or unmasked. Default: true: a client's must be masked, a server's must not. */
  requireMasking?: boolean | undefined
}

const NAMES: readonly string[] = ['allowDrafts', 'maxLength', 'masking', 'requireMasking', 'protocols']

/**
 * Gives the options back if each has one of these names.
 * @throws Error where one has another
 */
export function validateOptions<T extends object>(options: T | null | undefined, validKeys: readonly string[]): T {
  const given = options ?? ({} as T)
  for (const name in given) if (!validKeys.includes(name)) throw new Error(`Unrecognized option: ${name}`)
  return given
}

/** @throws Error for an unknown name; TypeError, RangeError for a wrong value */
export function readOptions(options: DriverOptions | null | undefined): WebSocketOptions {
  const { maxLength, allowDrafts, masking, requireMasking, protocols } = validateOptions(options, NAMES)
  const limit = maxLength || undefined
  return {
    maxMessageSize: limit,
    maxFrameSize: limit,
    protocols: readProtocols(protocols),
    allowDrafts: flag(allowDrafts),
    masking: flag(masking),
    requireMasking: flag(requireMasking),
    // timers are the application's, as the wire is
    handshakeTimeout: Number.POSITIVE_INFINITY,
    closeTimeout: Number.POSITIVE_INFINITY
  }
}

function flag(value: unknown): boolean | undefined {
  return value === undefined ? undefined : Boolean(value)
}

function readProtocols(protocols: DriverOptions['protocols']): readonly string[] {
  const names = typeof protocols === 'string' ? protocols.split(',') : (protocols ?? [])
  return names.map(name => name.trim()).filter(name => name !== '')
}
