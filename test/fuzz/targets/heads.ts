// Heads and the values in them: whole and in pieces they read the same, and what was parsed can be written and parsed again.

import { HandshakeError } from '../../../lib/errors.js'
import { FIELD_VALUE, TOKEN } from '../../../lib/handshake/fields.js'
import {
  type HeadKind,
  HeadParser,
  REQUEST,
  RESPONSE,
  type RequestHead,
  type ResponseHead
} from '../../../lib/handshake/head-parser.js'
import { hasToken, listTokens, readExtensionList } from '../../../lib/handshake/header-lists.js'
import { refusalFor } from '../../../lib/handshake/refusal.js'
import { ResponseBody } from '../../../lib/handshake/response-body.js'
import { demand, given, pieces, type Target } from './target.js'

const LIMITS = [
  { maxHeaderSize: 16384, maxHeaders: 100 },
  { maxHeaderSize: 200, maxHeaders: 100 },
  { maxHeaderSize: 16384, maxHeaders: 3 },
  { maxHeaderSize: 64, maxHeaders: 2 }
]

export const HEAD_WORDS = [
  '\r\n',
  '\r\n\r\n',
  '\n',
  '\r',
  ' ',
  '\t',
  ': ',
  ', ',
  '\0',
  '\xff',
  'GET / HTTP/1.1\r\n',
  'HTTP/1.1 101 Switching Protocols\r\n',
  'HTTP/1.0',
  'HTTP/1.1 ',
  'Host: a\r\n',
  'Connection: Upgrade\r\n',
  'Upgrade: websocket\r\n',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n',
  'Sec-WebSocket-Version: 13\r\n',
  'Sec-WebSocket-Protocol: chat\r\n',
  'Sec-WebSocket-Extensions: a; b="c"\r\n',
  'Content-Length: 5\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Set-Cookie: a=b\r\n',
  '__proto__: 1\r\n',
  'Origin: http://example.com\r\n'
]

interface HeadReading<T> {
  readonly head: T | null
  readonly rest: Buffer
  readonly error: string
}

export function readHead<T extends RequestHead | ResponseHead>(
  parser: HeadParser<T>,
  chunks: Iterable<Buffer>
): HeadReading<T> {
  let head: T | null = null
  const behind: Buffer[] = []
  try {
    for (const chunk of chunks) {
      if (head !== null) behind.push(chunk)
      else {
        head = parser.parse(chunk)
        if (head !== null) behind.push(parser.rest)
      }
    }
  } catch (error) {
    demand(error instanceof HandshakeError, `not a HandshakeError: ${error}`)
    return { head: null, rest: Buffer.alloc(0), error: `${error.code} ${error.status}` }
  }
  return { head, rest: Buffer.concat(behind), error: '' }
}

function headTarget<T extends RequestHead | ResponseHead>(name: string, kind: HeadKind<T>): Target {
  return {
    name,
    words: HEAD_WORDS,
    run(input) {
      const { flags, cut, bytes } = given(input)
      const limits = LIMITS[flags & 3]!
      const parser = new HeadParser(kind, limits)
      const whole = readHead(parser, [bytes])
      const inPieces = readHead(new HeadParser(kind, limits), pieces(bytes, cut))
      demand(whole.error === inPieces.error, `'${whole.error}' for the whole, '${inPieces.error}' for pieces`)
      demand((whole.head === null) === (inPieces.head === null), 'pieces are read differently from the whole')
      if (whole.head === null || inPieces.head === null) return
      demand(whole.rest.equals(inPieces.rest), 'what stands behind the head differs')
      demand(JSON.stringify(whole.head) === JSON.stringify(inPieces.head), 'the head differs')
      checkHead(whole.head, bytes.length - whole.rest.length, limits)
      checkAnew(kind, whole.head)
    }
  }
}

function checkHead(head: RequestHead | ResponseHead, size: number, limits: (typeof LIMITS)[number]): void {
  demand(size <= limits.maxHeaderSize, `a head of ${size} bytes`)
  demand(head.rawHeaders.length <= limits.maxHeaders * 2, `${head.rawHeaders.length / 2} fields`)
  for (let i = 0; i < head.rawHeaders.length; i += 2) {
    demand(TOKEN.test(head.rawHeaders[i]!), 'a name that is no token')
    demand(FIELD_VALUE.test(head.rawHeaders[i + 1]!), 'a value that could not be sent')
    demand(head.rawHeaders[i]!.toLowerCase() in head.headers, 'a field is missing')
  }
}

/** A head written from the parsed fields is parsed to the same fields. */
function checkAnew<T extends RequestHead | ResponseHead>(kind: HeadKind<T>, head: T): void {
  const first =
    'method' in head
      ? `${head.method} ${head.url} HTTP/${head.httpVersion}`
      : `HTTP/${head.httpVersion} ${head.status} ${head.statusText}`
  let text = `${first}\r\n`
  for (let i = 0; i < head.rawHeaders.length; i += 2) text += `${head.rawHeaders[i]}: ${head.rawHeaders[i + 1]}\r\n`
  const again = new HeadParser(kind, { maxHeaderSize: 2 ** 20, maxHeaders: 100 }).parse(
    Buffer.from(`${text}\r\n`, 'latin1')
  )
  demand(JSON.stringify(again) === JSON.stringify(head), 'the head reads otherwise when it is written again')
}

export const headRequest = headTarget('head-request', REQUEST)
export const headResponse = headTarget('head-response', RESPONSE)

const LIST_WORDS = [
  'a',
  ', ',
  ';',
  '=',
  '"',
  '\\',
  '\\"',
  ' ',
  '\t',
  '; b=c',
  '="c"',
  '__proto__',
  'permessage-deflate',
  'upgrade'
]

export const headerLists: Target = {
  name: 'header-lists',
  words: LIST_WORDS,
  maxLength: 6000,
  run(input) {
    const value = input.toString('latin1')
    const tokens = listTokens(value)
    for (const token of tokens ?? []) {
      demand(TOKEN.test(token), 'an item that is no token')
      demand(hasToken(value, token.toUpperCase()), 'an item of the list is not found in it')
    }
    const expected = value.split(',').some(item => item.replace(/^[\t ]+|[\t ]+$/g, '').toLowerCase() === 'upgrade')
    if (value.length < 200) demand(hasToken(value, 'upgrade') === expected, 'hasToken disagrees with split')
    const items = readExtensionList(value)
    if (items === null) return
    const plain = items.map(({ text }) => text).join(', ')
    if (plain.length > 4096) return
    demand(JSON.stringify(readExtensionList(plain)) === JSON.stringify(items), 'the plain form reads otherwise')
  }
}

export const responseBody: Target = {
  name: 'response-body',
  words: [...HEAD_WORDS, '5\r\nHello\r\n', '0\r\n\r\n', 'ffffffff\r\n', ';x=y\r\n'],
  run(input) {
    const { flags, cut, bytes } = given(input)
    const limit = [0, 10, 1000, 65536][flags & 3]!
    const { head, rest } = readHead(new HeadParser(RESPONSE, LIMITS[0]!), [bytes])
    if (head === null) return
    const whole = new ResponseBody(head, limit)
    const wholeEnds = whole.write(rest)
    const inPieces = new ResponseBody(head, limit)
    let ends = inPieces.write(Buffer.alloc(0))
    for (const piece of pieces(rest, cut)) {
      if (ends) break
      ends = inPieces.write(piece)
      demand(inPieces.bytes.length <= limit, 'more of the body than the limit')
    }
    demand(ends === wholeEnds, 'the body ends elsewhere in pieces')
    demand(whole.bytes.equals(inPieces.bytes), 'the body differs in pieces')
  }
}

/** The response to an error is itself valid. */
export function checkRefusal(error: HandshakeError): void {
  const { bytes, status, body } = refusalFor(error)
  const { head, rest } = readHead(new HeadParser(RESPONSE, LIMITS[0]!), [bytes])
  demand(head !== null && head.status === status, 'a refusal that is no answer')
  demand(rest.equals(body) && head.headers['content-length'] === String(body.length), 'a refusal with another body')
}
