// Negotiates the extensions of one handshake in any version (RFC 6455 §9.1): the offer, the response to it, and the resulting codecs. Knows
// neither requests nor responses.

import { HandshakeError, type Headers } from '../errors.js'
import type { Settings } from '../options.js'
import type { Extension } from './extension.js'
import { type Negotiated, Negotiation } from './negotiation.js'

/** The response to an offer, and the resulting codecs. */
export interface OfferResponse {
  readonly extensions: string
  readonly negotiated: Negotiated | null
}

/**
 * The response of a server to an offer.
 * @param given - the application's own response, if other parties process the extensions
 * @throws HandshakeError if an extension fails
 */
export function respondToOffer(offer: string, given: string | undefined, settings: Settings): OfferResponse {
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

/** @throws TypeError if a server's options contain an offer as text */
export function checkServer({ extensions }: Settings): void {
  if (typeof extensions === 'string')
    throw new TypeError('on a server, extensions must be an array; accept() takes extensions that others process')
}

/** A client's offer, and the codecs that result from the response. */
export class Offer {
  /** As in `Sec-WebSocket-Extensions`; '' for none. */
  readonly text: string
  private readonly negotiation: Negotiation | null = null

  /** @throws HandshakeError if an extension fails */
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
   * The result of the server's response (RFC 6455 §4.1).
   * @throws HandshakeError if an extension does not accept it
   */
  agree(extensions: string, status: number, headers: Headers): Negotiated | null {
    if (this.negotiation === null || extensions === '') return opaque(extensions)
    try {
      this.negotiation.activate(extensions)
    } catch (cause) {
      const details = { field: 'sec-websocket-extensions' }
      throw new HandshakeError('WS_ERR_BAD_RESPONSE', {
        detail: 'Sec-WebSocket-Extensions',
        status,
        headers,
        cause,
        details
      })
    }
    return this.negotiation.negotiated()
  }
}

/** For extensions that other parties process: frames pass unchanged, with all reserved bits. */
function opaque(extensions: string): Negotiated | null {
  return extensions === '' ? null : { rsv: 7, incoming: null, outgoing: null }
}
