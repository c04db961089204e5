// Checks the arguments of the sending methods of a WebSocketStream; invalid ones throw at once.

import { unknownOption } from './checks.js'
import { toBytes } from './protocol/message-splitter.js'
import { Buffer } from './runtime/node.js'

/** Options for sending one message. */
export interface SendOptions {
  /** Whether an extension may compress it. Default: true. */
  compress?: boolean | undefined
}

/** Options for sending one Ping or Pong. */
export interface ControlOptions {
  /** Whether to send it after the messages that were sent before, instead of ahead of those that still wait. Default: false. */
  inOrder?: boolean | undefined
}

/** @throws TypeError if it is no object, or has another name than this one */
function checkOptions<T extends object>(options: T, known: string): T {
  if (typeof options !== 'object' || options === null) throw new TypeError('options must be an object')
  for (const name in options) if (name !== known) throw unknownOption(name, [known])
  return options
}

/** Called when the message has been written, after which its memory may be reused; or with an error if it cannot be written. */
export type SentCallback = (error?: Error | null) => void

export function readCompress(options: SendOptions | undefined): boolean {
  if (options === undefined) return true
  const { compress = true } = checkOptions(options, 'compress')
  if (typeof compress !== 'boolean') throw new TypeError('compress must be a boolean')
  return compress
}

/** The forms of a binary message. */
export type BinaryMessage = NodeJS.ArrayBufferView | ArrayBuffer | SharedArrayBuffer | readonly number[]

export function readCallback(sent: SentCallback | undefined): SentCallback | null {
  if (sent === undefined) return null
  if (typeof sent !== 'function') throw new TypeError('the callback must be a function')
  return sent
}

export function readInOrder(options: ControlOptions | undefined): boolean {
  if (options === undefined) return false
  const { inOrder = false } = checkOptions(options, 'inOrder')
  if (typeof inOrder !== 'boolean') throw new TypeError('inOrder must be a boolean')
  return inOrder
}

/** @throws TypeError if it is not an array of integers from 0 to 255 */
export function bytesOf(numbers: readonly number[]): Uint8Array {
  // every() would skip holes
  for (let i = 0; i < numbers.length; i++) {
    const value = numbers[i]!
    if (!Number.isInteger(value) || value < 0 || value > 255) {
      throw new TypeError('an array of bytes must hold integers from 0 to 255')
    }
  }
  return Uint8Array.from(numbers)
}

/** Counts Pings, to tell apart those that wait for a Pong. Process-wide: numbers must differ only within one connection. */
const pings = { next: 0 }

/** The payload of a Ping for which the application gave none. */
export function nextPing(): Buffer {
  const payload = Buffer.allocUnsafe(4)
  payload.writeUInt32BE(pings.next)
  pings.next = (pings.next + 1) >>> 0
  return payload
}

export function controlPayload(payload: string | Uint8Array): Buffer {
  let bytes: Buffer
  if (typeof payload === 'string') {
    bytes = Buffer.from(payload)
  } else {
    // copied: the application may reuse its memory at once
    bytes = Buffer.from(toBytes(payload, 'the payload of a ping or pong'))
  }
  // RFC 6455 §5.5
  if (bytes.length > 125) throw new RangeError('the payload of a ping or pong must be at most 125 bytes')
  return bytes
}
