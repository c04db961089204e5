// Both sides of the handshake, on any head: it is accepted or refused, and the response contains only what was offered.

import { HandshakeError } from '../../../lib/errors.js'
import { acceptValue } from '../../../lib/handshake/accept-key.js'
import { ClientHandshake, type Established } from '../../../lib/handshake/client-handshake.js'
import { readUrl } from '../../../lib/handshake/client-url.js'
import { type Connected, ConnectHandshake } from '../../../lib/handshake/connect-handshake.js'
import { HeadParser, REQUEST, RESPONSE } from '../../../lib/handshake/head-parser.js'
import { requestUrl } from '../../../lib/handshake/request-target.js'
import { ServerHandshake } from '../../../lib/handshake/server-handshake.js'
import { readOptions, type WebSocketOptions } from '../../../lib/options.js'
import { checkRefusal, HEAD_WORDS, readHead } from './heads.js'
import { demand, given, pieces, type Target } from './target.js'

const SERVERS: WebSocketOptions[] = [
  {},
  { protocols: ['chat', 'superchat'] },
  { origins: ['http://example.com'], headers: { 'X-More': 'yes' } },
  { protocols: offered => offered.at(-1) }
]

export const serverHandshake: Target = {
  name: 'server-handshake',
  words: HEAD_WORDS,
  run(input) {
    const { flags, bytes } = given(input)
    const settings = readOptions(SERVERS[flags & 3])
    const { head } = readHead(new HeadParser(REQUEST, settings), [bytes])
    if (head === null) return
    try {
      const handshake = new ServerHandshake(head, settings, (flags & 4) !== 0)
      const accepted = handshake.accept()
      const { url, protocol, headers } = accepted
      demand(protocol === '' || handshake.offeredProtocols.includes(protocol), 'a subprotocol that was not offered')
      demand(URL.canParse(url), 'a URL that is none')
      const response = readHead(new HeadParser(RESPONSE, settings), [accepted.bytes])
      demand(
        response.head !== null && response.head.status === 101 && response.rest.length === 0,
        'a response that is none'
      )
      demand(JSON.stringify(response.head.headers) === JSON.stringify(headers), 'a response that says something else')
      const key = String(head.headers['sec-websocket-key'])
      demand(headers['sec-websocket-accept'] === acceptValue(key), 'a wrong accept value')
    } catch (error) {
      if (!(error instanceof HandshakeError)) throw error
      demand(error.status >= 400 && error.status < 600, `a refusal with status ${error.status}`)
      checkRefusal(error)
    }
  }
}

/** Placeholder in an input for the accept value, which differs in each handshake. */
const ACCEPT = Buffer.from('@ACCEPT@')
const CLIENT = readOptions({ protocols: ['chat', 'superchat'] })

interface Reading {
  readonly established: Established | null
  readonly rest: Buffer
  readonly error: string
}

function establish(flags: number, bytes: Buffer, cut: number | null): Reading {
  const handshake = new ClientHandshake('ws://example.com/chat', CLIENT)
  const request = handshake.request((flags & 1) === 0 ? '' : 'permessage-deflate; client_max_window_bits').toString()
  const key = /^Sec-WebSocket-Key: (.*)\r$/m.exec(request)![1]!
  const at = bytes.indexOf(ACCEPT)
  const accept = Buffer.from(acceptValue(key))
  const response = at < 0 ? bytes : Buffer.concat([bytes.subarray(0, at), accept, bytes.subarray(at + ACCEPT.length)])
  let established: Established | null = null
  const behind: Buffer[] = []
  try {
    for (const chunk of cut === null ? [response] : pieces(response, cut)) {
      if (established !== null) {
        behind.push(chunk)
        continue
      }
      established = handshake.receive(chunk)
      if (established !== null) behind.push(established.rest)
    }
    // a body that ends with the wire
    if (established === null && (flags & 2) !== 0) handshake.end()
  } catch (error) {
    demand(error instanceof HandshakeError, `not a HandshakeError: ${error}`)
    demand(error.body.length <= 65536, 'a body over the limit')
    // it may contain the accept value
    const said = `${error.code} ${error.status} ${error.body.length}`
    return { established: null, rest: Buffer.alloc(0), error: said }
  }
  return { established, rest: Buffer.concat(behind), error: '' }
}

export const clientHandshake: Target = {
  name: 'client-handshake',
  words: [...HEAD_WORDS, 'Sec-WebSocket-Accept: @ACCEPT@\r\n', 'HTTP/1.1 103 Early Hints\r\n\r\n', '5\r\nHello\r\n'],
  run(input) {
    const { flags, cut, bytes } = given(input)
    const whole = establish(flags, bytes, null)
    const inPieces = establish(flags, bytes, cut)
    demand(whole.error === inPieces.error, `'${whole.error}' for the whole, '${inPieces.error}' for pieces`)
    demand((whole.established === null) === (inPieces.established === null), 'pieces are read differently')
    if (whole.established === null) return
    demand(whole.rest.equals(inPieces.rest), 'the bytes after the response differ')
    const { protocol, extensions } = whole.established
    demand(['', 'chat', 'superchat'].includes(protocol), 'a subprotocol that was not offered')
    demand(extensions === '' || (flags & 1) !== 0, 'an extension that was not offered')
    demand(
      extensions.split(', ').every(text => text === '' || text.startsWith('permessage-deflate')),
      `an extension that was not offered: ${extensions}`
    )
  }
}

function tunnel(bytes: Buffer, cut: number | null): string {
  const limits = { maxHeaderSize: 16384, maxHeaders: 100 }
  const handshake = new ConnectHandshake({ authority: 'a:443', headers: [], authorization: '', ...limits })
  let connected: Connected | null = null
  const behind: Buffer[] = []
  try {
    for (const chunk of cut === null ? [bytes] : pieces(bytes, cut)) {
      if (connected === null) connected = handshake.receive(chunk)
      else behind.push(chunk)
    }
    if (connected === null) throw handshake.ended()
    const { status, headers, rest } = connected
    demand(status >= 200 && status < 300, `a tunnel for ${status}`)
    return JSON.stringify([status, headers, Buffer.concat([rest, ...behind]).toString('hex')])
  } catch (error) {
    if (!(error instanceof HandshakeError)) throw error
    return `${error.code} ${error.status} ${error.body.toString('hex')}`
  }
}

export const connectHandshake: Target = {
  name: 'connect-handshake',
  words: [...HEAD_WORDS, 'HTTP/1.1 200 OK\r\n', 'HTTP/1.1 100 Continue\r\n\r\n', 'Proxy-Authenticate: Basic\r\n'],
  run(input) {
    const { cut, bytes } = given(input)
    const whole = tunnel(bytes, null)
    const inPieces = tunnel(bytes, cut)
    demand(whole === inPieces, `${whole} for the whole, ${inPieces} for pieces`)
  }
}

export const urls: Target = {
  name: 'urls',
  words: [
    'ws://',
    'wss://',
    'http://',
    'https://',
    'example.com',
    '@',
    ':',
    '/',
    '?',
    '#',
    '%',
    '%0d%0a',
    '[::1]',
    ':80',
    ':443',
    ':65536',
    'user:pass@',
    '\\',
    '\u0131',
    'xn--',
    '\n'
  ],
  maxLength: 200,
  run(input) {
    const text = input.toString((input[0] ?? 0) & 1 ? 'latin1' : 'utf8')
    checkClientUrl(text)
    const [host = '', target = ''] = text.split('\n')
    checkRequestUrl(host, target)
  }
}

const SENDABLE = /^[\x21-\x7e]+$/

function checkClientUrl(text: string): void {
  try {
    const { url, host, path, authorization } = readUrl(text)
    demand(/^wss?:\/\//.test(url) && URL.canParse(url), `the URL ${url}`)
    demand(SENDABLE.test(host), `the host ${JSON.stringify(host)}`)
    demand(SENDABLE.test(path) && path.startsWith('/'), `the path ${JSON.stringify(path)}`)
    demand(authorization === '' || /^Basic [A-Za-z0-9+/]*={0,2}$/.test(authorization), 'the authorization')
    demand(!url.includes('@') || !/^wss?:\/\/[^/]*@/.test(url), 'a URL that still has a name in it')
    demand(readUrl(url).url === url, 'a URL that reads otherwise the second time')
  } catch (error) {
    if (!(error instanceof SyntaxError || (error instanceof TypeError && /control characters/.test(error.message)))) {
      throw error
    }
  }
}

function checkRequestUrl(host: string, url: string): void {
  try {
    const read = requestUrl({ method: 'GET', url, headers: { host } }, false)
    demand(/^ws:\/\//.test(read) && URL.canParse(read), `the URL ${read}`)
  } catch (error) {
    if (!(error instanceof HandshakeError)) throw error
    demand(error.status === 400, `status ${error.status}`)
  }
}
