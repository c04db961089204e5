// Negotiates the parameters of offers and responses (RFC 7692 §7.1). Knows nothing of compression.

import type { ExtensionParam, ExtensionParams } from './extension.js'

/** The parameters that one side wants. */
export interface Wishes {
  /** Maximum window that we compress with, 9 to 15. */
  readonly windowBits: number
  /** Maximum window that we ask the peer to compress with, 8 to 15. */
  readonly peerWindowBits: number
  readonly contextTakeover: boolean
  readonly peerContextTakeover: boolean
}

/** The result for one connection. Here window bits may be 8 in either direction. */
export type Agreement = Wishes

/** The four parameters of RFC 7692 §7.1; window bits are 0 if the parameter is missing. */
interface Parameters {
  serverNoContextTakeover: boolean
  clientNoContextTakeover: boolean
  serverMaxWindowBits: number
  /** `true` if it has no value. */
  clientMaxWindowBits: number | true
}

const LARGEST = 15
/** zlib's compressor does not support the smallest window; it would use the next one, to which the peer did not agree. */
const LEAST_TO_DEFLATE = 9

/** The offer of a client. */
export function makeOffer(wishes: Wishes): ExtensionParams {
  const { windowBits, peerWindowBits, contextTakeover, peerContextTakeover } = wishes
  const offer: ExtensionParams = {}
  if (!peerContextTakeover) offer['server_no_context_takeover'] = true
  if (!contextTakeover) offer['client_no_context_takeover'] = true
  if (peerWindowBits < LARGEST) offer['server_max_window_bits'] = peerWindowBits
  offer['client_max_window_bits'] = windowBits === LARGEST ? true : windowBits
  return offer
}

/** The response of a server to an offer, and the result; null if the server declines it. */
export function acceptOffer(
  wishes: Wishes,
  params: ExtensionParams
): { response: ExtensionParams; agreement: Agreement } | null {
  const offer = readParameters(params)
  if (offer === null) return null
  const { serverMaxWindowBits, clientMaxWindowBits } = offer
  if (serverMaxWindowBits > 0 && serverMaxWindowBits < LEAST_TO_DEFLATE) return null
  const agreement = {
    windowBits: Math.min(wishes.windowBits, serverMaxWindowBits || LARGEST),
    peerWindowBits: LARGEST,
    contextTakeover: wishes.contextTakeover && !offer.serverNoContextTakeover,
    peerContextTakeover: wishes.peerContextTakeover && !offer.clientNoContextTakeover
  }
  const response: ExtensionParams = {}
  if (!agreement.contextTakeover) response['server_no_context_takeover'] = true // §7.1.1.1
  if (!agreement.peerContextTakeover) response['client_no_context_takeover'] = true // §7.1.1.2
  if (serverMaxWindowBits > 0) response['server_max_window_bits'] = agreement.windowBits // §7.1.2.1
  // §7.1.2.2: a server may send it only if the client offered it
  if (clientMaxWindowBits === true || clientMaxWindowBits > 0) {
    const most = clientMaxWindowBits === true ? LARGEST : clientMaxWindowBits
    agreement.peerWindowBits = Math.min(wishes.peerWindowBits, most)
    if (agreement.peerWindowBits < LARGEST) response['client_max_window_bits'] = agreement.peerWindowBits
  }
  return { response, agreement }
}

/** The result for a client of the server's response to `makeOffer(wishes)`; null if the response is invalid. */
export function acceptResponse(wishes: Wishes, params: ExtensionParams): Agreement | null {
  const response = readParameters(params)
  if (response === null) return null
  const { serverNoContextTakeover, serverMaxWindowBits, clientMaxWindowBits } = response
  if (clientMaxWindowBits === true) return null // §7.1.2.2
  if (!wishes.peerContextTakeover && !serverNoContextTakeover) return null // §7.1.1.1
  // §7.1.2.1: a server may limit itself unasked, and must if the client asked it to
  const peerWindowBits = serverMaxWindowBits || LARGEST
  if (peerWindowBits > wishes.peerWindowBits) return null
  return {
    // §7.1.2.2: the response is an upper limit; a smaller window is allowed
    windowBits: Math.min(wishes.windowBits, clientMaxWindowBits || LARGEST),
    peerWindowBits,
    contextTakeover: wishes.contextTakeover && !response.clientNoContextTakeover,
    peerContextTakeover: !serverNoContextTakeover
  }
}

/** Null if a parameter is unknown, repeated or has an invalid value (RFC 7692 §7.1). */
function readParameters(params: ExtensionParams): Parameters | null {
  const read: Parameters = {
    serverNoContextTakeover: false,
    clientNoContextTakeover: false,
    serverMaxWindowBits: 0,
    clientMaxWindowBits: 0
  }
  for (const name of Object.keys(params)) {
    const value = params[name]!
    if (name === 'server_no_context_takeover' && value === true) read.serverNoContextTakeover = true
    else if (name === 'client_no_context_takeover' && value === true) read.clientNoContextTakeover = true
    else if (name === 'server_max_window_bits' && isBits(value)) read.serverMaxWindowBits = value
    else if (name === 'client_max_window_bits' && (value === true || isBits(value))) read.clientMaxWindowBits = value
    else return null
  }
  return read
}

// the parser makes a number only of a value without leading zeros
function isBits(value: ExtensionParam | ExtensionParam[]): value is number {
  return Number.isInteger(value) && (value as number) >= 8 && (value as number) <= LARGEST
}
