// Allowed differences to other implementations: what the RFC says, and how such a case is recognised. Any difference that is
// not in this table is a bug, of ours or of theirs.

import { type Header, headersIn } from './headers-in.js'
import type { Case, Verdict } from './readers.js'

interface Difference {
  readonly peer: 'ws' | 'wsproto'
  readonly says: string
  /** The sentence of the RFC that decides it. */
  readonly rfc: string
  explains(ours: Verdict, theirs: Verdict, headers: readonly Header[], given: Case): boolean
}

const isPrefix = (one: readonly string[], two: readonly string[]): boolean => one.every((event, i) => event === two[i])

/** We reported the error, and they read on, or wait for more. */
const weFailFirst = (ours: Verdict, theirs: Verdict, code: number): boolean =>
  ours.end === `fail ${code}` && isPrefix(ours.events, theirs.events)

export const DIFFERENCES: readonly Difference[] = [
  {
    peer: 'ws',
    says: 'ws takes lengths in any form',
    rfc: 'RFC 6455 §5.2: "in all cases, the minimal number of bytes MUST be used to encode the length"',
    explains: (ours, theirs, headers) =>
      weFailFirst(ours, theirs, 1002) && headers.some(({ isShortest }) => !isShortest)
  },
  {
    peer: 'ws',
    says: 'ws takes a length whose top bit is set for one that is too large',
    rfc: 'RFC 6455 §5.2: "a 64-bit unsigned integer (the most significant bit MUST be 0)"',
    explains: (ours, theirs, headers) =>
      weFailFirst(ours, theirs, 1002) && theirs.end === 'fail 1009' && headers.some(({ length }) => length >= 2n ** 63n)
  },
  {
    peer: 'ws',
    says: 'ws looks at text when all of the message is there, and until then at what follows',
    rfc: 'RFC 6455 §8.1: "When an endpoint is to interpret a byte stream as UTF-8 but finds that the byte stream is not, in fact, a valid UTF-8 stream, that endpoint MUST _Fail the WebSocket Connection_"',
    explains: (ours, theirs) =>
      weFailFirst(ours, theirs, 1007) &&
      ours.events.length ===
        theirs.events.filter(isMessage).length + ours.events.filter(event => !isMessage(event)).length
  },
  {
    peer: 'ws',
    says: 'ws fails a Close of one byte, and a frame that may not stand where it stands or is too large, before all of it is there',
    rfc: 'RFC 6455 §5.5.1: "If there is a body, the first two bytes of the body MUST be a 2-byte unsigned integer": a fault either way, seen sooner or later',
    explains: (ours, theirs, headers) =>
      ours.end === 'open' &&
      /^fail (1002|1009)$/.test(theirs.end) &&
      isPrefix(theirs.events, ours.events) &&
      headers.at(-1)?.isWhole === false
  },
  {
    peer: 'ws',
    says: 'ws counts a fragment when it is there, and looks at its size first',
    rfc: 'RFC 6455 §10.4: "Implementations that have implementation- and/or platform-specific limitations regarding the frame size or total message size after reassembly from multiple frames MUST protect themselves against exceeding those limits": in no order',
    explains: (ours, theirs, _headers, { limits }) => limits !== null && weFailFirst(ours, theirs, 1008)
  },
  {
    peer: 'ws',
    says: "a frame that is too large and breaks another rule as well: which fault is named is nobody's rule",
    rfc: 'RFC 6455 §7.4.1: 1002 "due to a protocol error", 1009 "because it has received a message that is too big for it to process"',
    explains: (ours, theirs, headers) =>
      weFailFirst(ours, theirs, 1009) && theirs.end === 'fail 1002' && headers.some(({ length }) => length >= 2n ** 53n)
  },
  {
    peer: 'wsproto',
    says: 'wsproto has no limit of 2^53-1 bytes',
    rfc: 'RFC 6455 §10.4: "implementation- and/or platform-specific limitations regarding the frame size"',
    explains: (ours, theirs, headers) =>
      weFailFirst(ours, theirs, 1009) && headers.some(({ length }) => length >= 2n ** 53n)
  },
  {
    peer: 'wsproto',
    says: 'wsproto looks at a header when all of its length is there, and at the place of a frame when some of its payload is',
    rfc: 'RFC 6455 §5.2: "MUST be 0 unless an extension is negotiated that defines meanings for non-zero values": a fault either way, seen sooner or later',
    explains: (ours, theirs, headers) =>
      weFailFirst(ours, theirs, 1002) && theirs.end === 'open' && headers.at(-1)?.isWhole === false
  },
  {
    peer: 'wsproto',
    says: 'wsproto does not know the close code 1014',
    rfc: 'RFC 6455 §7.4.2: "Status codes in the range 1000-2999 are reserved for definition by this protocol, its future revisions, and extensions specified in a permanent and readily available public specification": the IANA registry has 1014',
    explains: (ours, theirs) => ours.end.startsWith('close 1014') && theirs.end === 'fail 1002'
  }
]

function isMessage(event: string): boolean {
  return event.startsWith('text') || event.startsWith('binary')
}

/** The reason why two verdicts may differ; undefined if there is none, null if they do not differ. */
export function explain(
  peer: Difference['peer'],
  ours: Verdict,
  theirs: Verdict,
  given: Case
): Difference | null | undefined {
  if (ours.end === theirs.end && ours.events.length === theirs.events.length && isPrefix(ours.events, theirs.events))
    return null
  const headers = headersIn(given.bytes)
  return DIFFERENCES.find(difference => difference.peer === peer && difference.explains(ours, theirs, headers, given))
}
