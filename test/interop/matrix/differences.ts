// Known differences of peers to what a check expects, and what a standard says about them. Any other difference is a failure.

import type { CheckName } from './checks.js'
import type { PeerRole } from './examine.js'

export interface Difference {
  check: CheckName
  /** Default: both. */
  role?: PeerRole
  /** The message of the check in this case. */
  sign: RegExp
  words: string
}

const TYPICALLY =
  'RFC 6455 §5.5.1: “When sending a Close frame in response, the endpoint typically echos the status code it received.”'

const answersWithoutReason: Difference = {
  check: 'closing',
  sign: /^their answer to our close has the reason ''$/,
  words: `answers a Close with its code and without the reason, which is allowed. ${TYPICALLY}`
}

const answersWith1000: Difference = {
  check: 'closing',
  sign: /^their answer to our close has the code 1000$/,
  words: `answers every Close with 1000. ${TYPICALLY}`
}

/** By the name of the peer. */
export const DIFFERENCES: Readonly<Record<string, readonly Difference[]>> = {
  undici: [
    answersWithoutReason,
    {
      check: 'deflate',
      sign: /they inflate, and send uncompressed/,
      words:
        'inflates received messages, and compresses none. RFC 7692 §6: “this bit indicates whether a message is compressed or not”, message by message.'
    }
  ],
  websocket: [answersWith1000],
  'gorilla/websocket': [answersWithoutReason],
  aiohttp: [
    answersWith1000,
    {
      check: 'plainer',
      role: 'server',
      sign: /agreed on: permessage-deflate; server_no_context_takeover$/,
      words:
        'does not repeat client_no_context_takeover, which in an offer is only a hint (RFC 7692 §7.1.1.2); we compress without context all the same.'
    }
  ],
  Deno: [
    {
      check: 'handshake',
      role: 'server',
      sign: /on their side/,
      words: 'chooses the subprotocol, but its own socket does not report it afterwards.'
    }
  ],
  hypercorn: [
    {
      check: 'closing',
      sign: /^they saw 1006 '[^']*'$/,
      words:
        'reports 1006 to its application, whatever the code of our Close; the bytes on the wire are correct. RFC 6455 §7.1.5: the code is that of “the first Close control frame received by the application”.'
    },
    {
      check: 'closed',
      sign: /^they saw 1000 in our answer$/,
      words: 'reports 1000 to its application, whatever code it has closed with; the bytes on the wire are correct.'
    }
  ],
  Mojolicious: [
    {
      check: 'plainer',
      role: 'server',
      sign: /Sec-WebSocket-Extensions/,
      words:
        'accepts an offer with server_no_context_takeover and omits it from its answer, so we fail the handshake. RFC 7692 §7.1.1.1: a server accepts such an offer “by including the ‘server_no_context_takeover’ extension parameter” in its response.'
    },
    {
      check: 'plainer',
      role: 'client',
      sign: /invalid distance too far back/,
      words:
        'keeps compressing with context although our answer has client_no_context_takeover, so we fail with 1007. RFC 7692 §7.1.1.2: with that parameter in its response, “a server prevents the peer client from using context takeover”.'
    }
  ],
  libwebsockets: [
    {
      check: 'deflate',
      role: 'server',
      sign: /the connection ended without a closing handshake/,
      words:
        'compresses and inflates until an empty message follows compressed ones: then a failed assertion ends its process.'
    },
    {
      check: 'deflate',
      role: 'client',
      sign: /nothing came of it/,
      words:
        'agrees on compression, but does not deliver uncompressed messages that arrive before any compressed one. RFC 7692 §6: “this bit indicates whether a message is compressed or not”.'
    },
    {
      check: 'plainer',
      sign: /binary of 1048576 bytes, sent in fragments, came back other than it was/,
      words: 'the last 8 bytes of a compressed echo of 1 MiB are wrong, also with `ws` as the peer.'
    }
  ]
}
