// What two sides make of their lists of extensions in a handshake of any version (RFC 6455 §9.1): an offer, the answer to it, and
// the codecs that follow from both. Knows neither requests nor answers as such.

import { HandshakeError, type Headers } from '../errors.js'
import type { Settings } from '../options.js'
import type { Extension } from './extension.js'
import { type Negotiated, Negotiation } from './negotiation.js'

/** An answer, and what follows from it. */
export interface Answered {
  readonly extensions: string
  readonly negotiated: Negotiated | null
}

/**
 * What a server answers to an offer.
 * @param given - what the application says instead, where two others have agreed on it
 * @throws HandshakeError where an extension fails
 */
export function answerOffer(offer: string, given: string | undefined, settings: Settings): Answered {
  if (given !== undefined) return { extensions: given, negotiated: opaque(given) }
  if (offer === '' || settings.extensions.length === 0) return { extensions: '', negotiated: null }
  const negotiation = new Negotiation(settings.extensions as readonly Extension[], settings)
  try {
    const extensions = negotiation.respond(offer)
    return { extensions, negotiated: negotiation.negotiated() }
  } catch (cause) {
    throw new HandshakeError('WS_ERR_REJECTED', { status: 500, detail: 'an extension failed', cause })
  }
}

/** @throws TypeError where a server is to make an offer */
export function checkServer({ extensions }: Settings): void {
  if (typeof extensions === 'string') throw new TypeError('a server says in accept() what others have agreed on')
}

/** What a client offers, and makes of the answer. */
export class Offer {
  /** As in `Sec-WebSocket-Extensions`; '' for nothing. */
  readonly text: string
  private readonly negotiation: Negotiation | null = null

  /** @throws HandshakeError where an extension fails */
  constructor(settings: Settings) {
    const extensions = settings.extensions as readonly Extension[] | string
    if (typeof extensions === 'string' || extensions.length === 0) {
      this.text = typeof extensions === 'string' ? extensions : ''
      return
    }
    this.negotiation = new Negotiation(extensions, settings)
    try {
      this.text = this.negotiation.offer()
    } catch (cause) {
      throw new HandshakeError('WS_ERR_EXTENSION', { cause })
    }
  }

  /**
   * What follows from the server's answer (RFC 6455 §4.1).
   * @throws HandshakeError where an extension does not take it
   */
  agree(extensions: string, status: number, headers: Headers): Negotiated | null {
    if (this.negotiation === null || extensions === '') return opaque(extensions)
    try {
      this.negotiation.activate(extensions)
    } catch (cause) {
      throw new HandshakeError('WS_ERR_BAD_RESPONSE', { detail: 'Sec-WebSocket-Extensions', status, headers, cause })
    }
    return this.negotiation.negotiated()
  }
}

/** What two others agreed on: frames pass as they are. */
function opaque(extensions: string): Negotiated | null {
  return extensions === '' ? null : { rsv: 7, incoming: null, outgoing: null }
}
