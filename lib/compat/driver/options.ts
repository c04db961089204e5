// Converts the options of npm's websocket-driver to those of a WebSocketStream.

import type { WebSocketOptions } from '../../index.js'

/** The options of a driver. */
export interface DriverOptions {
  /** Maximum size of an incoming message in bytes; beyond it the connection fails with 1009. Default, also for 0: 2^26-1. */
  maxLength?: number | undefined
  /** Subprotocols: an array, or a comma-separated string. */
  protocols?: string | readonly string[] | null | undefined
  /** Server: accept hixie-75 and hixie-76 too. Default: false. */
  allowDrafts?: boolean | undefined
  /** Whether outgoing frames are masked. Default: true for a client, false for a server. */
  masking?: boolean | undefined
  /** False accepts masked and unmasked frames. Default: true: a client's frames must be masked, a server's must not. */
  requireMasking?: boolean | undefined
}

const NAMES: readonly string[] = ['allowDrafts', 'maxLength', 'masking', 'requireMasking', 'protocols']

/**
 * Returns the options if all have known names.
 * @throws Error for the first unknown name
 */
export function validateOptions<T extends object>(options: T | null | undefined, validKeys: readonly string[]): T {
  const given = options ?? ({} as T)
  for (const name in given) if (!validKeys.includes(name)) throw new Error(`Unrecognized option: ${name}`)
  return given
}

/** @throws Error if an option is unknown; TypeError, RangeError if an option is invalid */
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
    // the application has its own timers, since it owns the wire
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
