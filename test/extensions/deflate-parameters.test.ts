// RFC 7692 §7.1, through the parser of websocket-extensions, as in production.

import t from 'tap'
import Extensions from 'websocket-extensions'
import {
  type Agreement,
  acceptOffer,
  acceptResponse,
  makeOffer,
  type Wishes
} from '../../lib/extensions/deflate-parameters.js'
import type { Extension, ExtensionParams } from '../../lib/extensions/extension.js'
import { type PermessageDeflateOptions, permessageDeflate } from '../../lib/extensions/permessage-deflate.js'

const WISHES: Wishes = { windowBits: 15, peerWindowBits: 15, contextTakeover: true, peerContextTakeover: true }

function container(options: PermessageDeflateOptions): Extensions {
  const extensions = new Extensions()
  extensions.add(permessageDeflate(options))
  return extensions
}

/** The response of a server; null if it declines. */
const respond = (options: PermessageDeflateOptions, offer: string): string | null =>
  container(options).generateResponse(offer)

const P = 'permessage-deflate'
const LARGEST = { windowBits: 15, peerWindowBits: 15 }

const RESPONSES: [options: PermessageDeflateOptions, offer: string, response: string | null][] = [
  [{}, P, P],
  [{}, `${P}; client_max_window_bits`, `${P}; client_max_window_bits=12`],
  [LARGEST, `${P}; client_max_window_bits`, P],
  [LARGEST, `${P}; client_max_window_bits=15`, P],
  [LARGEST, `${P}; client_max_window_bits=10`, `${P}; client_max_window_bits=10`],
  [{ peerWindowBits: 11 }, `${P}; client_max_window_bits=10`, `${P}; client_max_window_bits=10`],
  [{ peerWindowBits: 9 }, `${P}; client_max_window_bits=10`, `${P}; client_max_window_bits=9`],
  [{ peerWindowBits: 8 }, `${P}; client_max_window_bits`, `${P}; client_max_window_bits=8`],
  [{ peerWindowBits: 9 }, P, P],
  [{ windowBits: 11 }, P, P],
  [{ windowBits: 11 }, `${P}; server_max_window_bits=15`, `${P}; server_max_window_bits=11`],
  [{ windowBits: 11 }, `${P}; server_max_window_bits=11`, `${P}; server_max_window_bits=11`],
  [LARGEST, `${P}; server_max_window_bits=15`, `${P}; server_max_window_bits=15`],
  [LARGEST, `${P}; server_max_window_bits="9"`, `${P}; server_max_window_bits=9`],
  [{}, `${P}; server_no_context_takeover`, `${P}; server_no_context_takeover`],
  [{}, `${P}; client_no_context_takeover`, `${P}; client_no_context_takeover`],
  [{ contextTakeover: false }, P, `${P}; server_no_context_takeover`],
  [{ peerContextTakeover: false }, P, `${P}; client_no_context_takeover`],
  // in order: the first acceptable one
  [{}, `${P}; server_max_window_bits=8, ${P}; server_max_window_bits=10`, `${P}; server_max_window_bits=10`],
  [{}, `${P}; foo, other, ${P}`, P],
  [{}, 'other; server_no_context_takeover', null],
  // values that zlib's compressor does not support
  [{}, `${P}; server_max_window_bits=8`, null]
]

/** What is invalid in an offer and in a response, whatever was requested (A06, A13). */
const WRONG = [
  'foo',
  'foo=1',
  '__proto__',
  'constructor',
  'hasOwnProperty=1',
  'toString',
  'server_no_context_takeover=1',
  'server_no_context_takeover=true',
  'server_no_context_takeover; server_no_context_takeover',
  'client_no_context_takeover=15',
  'client_no_context_takeover=""',
  'client_no_context_takeover; client_no_context_takeover',
  'Server_No_Context_Takeover',
  'server_max_window_bits; client_max_window_bits',
  'client_max_window_bits=15; client_max_window_bits=15',
  'server_max_window_bits=10; server_max_window_bits=10',
  ...['server', 'client'].flatMap(side =>
    ['0', '7', '16', '1000', '-8', '08', '015', '1e1', '0xa', '+9', '9.5', 'a', 'true', '"8 "', '4294967304'].map(
      value => `${side}_max_window_bits=${value}`
    )
  )
]

t.test('a server responds to an offer with parameters that both support', async t => {
  for (const [options, offer, response] of RESPONSES) t.equal(respond(options, offer), response, offer)
})

t.test('A06, A13: a server declines an offer with an invalid parameter, and takes the next', async t => {
  for (const wrong of [...WRONG, 'server_max_window_bits']) {
    let response: string | null
    try {
      response = respond({}, `${P}; ${wrong}`)
    } catch (error) {
      // the container has its own grammar
      t.match(error, { name: 'SyntaxError' }, wrong)
      continue
    }
    t.equal(response, wrong === '__proto__' ? P : null, wrong)
    t.equal(respond({}, `${P}; ${wrong}, ${P}; server_max_window_bits=10`)?.startsWith(P), true, `then: ${wrong}`)
  }
})

const OFFERS: [options: PermessageDeflateOptions, offer: string][] = [
  [{}, `${P}; client_max_window_bits=12`],
  [{ windowBits: 15 }, `${P}; client_max_window_bits`],
  [{ windowBits: 9, peerWindowBits: 15 }, `${P}; client_max_window_bits=9`],
  [{ windowBits: 15, peerWindowBits: 8 }, `${P}; server_max_window_bits=8; client_max_window_bits`],
  [{ windowBits: 15, contextTakeover: false }, `${P}; client_no_context_takeover; client_max_window_bits`],
  [{ windowBits: 15, peerContextTakeover: false }, `${P}; server_no_context_takeover; client_max_window_bits`]
]

t.test('a client offers its own parameters', async t => {
  for (const [options, offer] of OFFERS) t.equal(container(options).generateOffer(), offer)
})

/** Whether a client accepts a response. */
function activates(options: PermessageDeflateOptions, response: string): boolean {
  const extensions = container(options)
  extensions.generateOffer()
  try {
    extensions.activate(response)
    return true
  } catch {
    return false
  }
}

const ACCEPTABLE: [options: PermessageDeflateOptions, response: string][] = [
  [{}, P],
  [{}, `${P}; server_no_context_takeover; client_no_context_takeover`],
  [{}, `${P}; server_max_window_bits=8`],
  [{}, `${P}; server_max_window_bits=15`],
  [{}, `${P}; client_max_window_bits=12`],
  [{}, `${P}; client_max_window_bits=8`],
  [{}, `${P}; client_max_window_bits=13`],
  [{}, `${P}; client_max_window_bits=15`],
  [{ windowBits: 15 }, `${P}; client_max_window_bits=15`],
  [{ peerWindowBits: 10 }, `${P}; server_max_window_bits=10`],
  [{ peerWindowBits: 10 }, `${P}; server_max_window_bits="9"`],
  [{ peerContextTakeover: false }, `${P}; server_no_context_takeover`],
  [{ contextTakeover: false }, P]
]

const UNACCEPTABLE: [options: PermessageDeflateOptions, response: string][] = [
  [{}, `${P}; client_max_window_bits`],
  [{ windowBits: 15 }, `${P}; client_max_window_bits`],
  [{}, `${P}; server_max_window_bits`],
  [{ peerWindowBits: 10 }, P],
  [{ peerWindowBits: 10 }, `${P}; server_max_window_bits=11`],
  [{ peerContextTakeover: false }, P],
  [{ peerContextTakeover: false }, `${P}; client_no_context_takeover`],
  [{}, 'other'],
  [{}, `${P}, ${P}`]
]

t.test('a client accepts a response that matches its offer', async t => {
  for (const [options, response] of ACCEPTABLE) t.equal(activates(options, response), true, response)
})

t.test("a server's response is an upper limit: a client compresses with the smaller window of the two", async t => {
  for (const [offered, chosen, used] of [
    [12, 15, 12],
    [12, 13, 12],
    [12, 12, 12],
    [12, 9, 9],
    [9, 15, 9],
    [15, 8, 8],
    [12, undefined, 12],
    [15, undefined, 15]
  ] as const) {
    const params: ExtensionParams = chosen === undefined ? {} : { client_max_window_bits: chosen }
    const agreement = acceptResponse({ ...WISHES, windowBits: offered }, params)
    t.match(agreement, { windowBits: used, peerWindowBits: 15 }, `${offered} offered, ${chosen} chosen`)
  }
})

t.test('A06, A13: a client accepts no other response', async t => {
  for (const [options, response] of UNACCEPTABLE) t.equal(activates(options, response), false, response)
  for (const wrong of WRONG.filter(wrong => wrong !== '__proto__')) {
    t.equal(activates({ windowBits: 15 }, `${P}; ${wrong}`), false, wrong)
  }
})

t.test('parameters that a parser never makes are refused too', async t => {
  const odd = Object.fromEntries([['__proto__', 1]]) as ExtensionParams
  Object.defineProperty(odd, '__proto__', { value: 1, enumerable: true })
  const all = [odd, { server_max_window_bits: [9, 9] }, { client_max_window_bits: Number.NaN }, { foo: true }]
  for (const params of all as ExtensionParams[]) {
    t.equal(acceptOffer(WISHES, params), null)
    t.equal(acceptResponse(WISHES, params), null)
  }
})

t.test('both sides agree on the same parameters, whatever they want', async t => {
  const bits = [9, 12, 15]
  for (const windowBits of bits) {
    for (const peerWindowBits of bits) {
      for (const contextTakeover of [true, false]) {
        for (const peerContextTakeover of [true, false]) {
          const server = { windowBits, peerWindowBits, contextTakeover, peerContextTakeover }
          for (const wishes of [WISHES, { ...WISHES, peerWindowBits: 10 }, { ...WISHES, peerContextTakeover: false }]) {
            const accepted = acceptOffer(server, makeOffer(wishes))!
            const client = acceptResponse(wishes, accepted.response) as Agreement
            t.equal(client.contextTakeover, accepted.agreement.peerContextTakeover)
            t.equal(client.peerContextTakeover, accepted.agreement.contextTakeover)
            // a reader has the window that the other side may refer to
            t.ok(client.peerWindowBits >= accepted.agreement.windowBits)
            t.ok(accepted.agreement.peerWindowBits >= client.windowBits)
          }
        }
      }
    }
  }
})

t.test('a session that was not activated throws', async t => {
  const extension: Extension = permessageDeflate()
  const session = extension.createClientSession()!
  t.throws(() => session.streaming!.outgoing(), /not negotiated/)
  t.throws(() => session.streaming!.incoming(1), /not negotiated/)
  session.close()
})
