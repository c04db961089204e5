// The members, events and options of a WebSocketStream. Only the types are checked: nothing here runs.

import type { IncomingMessage } from 'node:http'
import {
  type AcceptOptions,
  type CloseInfo,
  type HeaderFields,
  type Headers,
  type HybiVersion,
  isWebSocket,
  type Message,
  type MessagesView,
  type OpenInfo,
  permessageDeflate,
  type ReadyState,
  type RefusalOptions,
  TextBytes,
  type UpgradeRequest,
  type WebSocketOptions,
  WebSocketStream,
  type WebSocketStreamEvents
} from '../../../lib/index.js'
import { same } from './same.js'

export function making(request: IncomingMessage, head: Buffer): void {
  same<ReturnType<typeof isWebSocket>, boolean>(true)
  isWebSocket(request)
  same<ReturnType<typeof WebSocketStream.http>, WebSocketStream>(true)
  WebSocketStream.http(request)
  WebSocketStream.http(request, head, { protocols: ['chat'] })
  WebSocketStream.http({ method: 'GET', url: '/', headers: { host: 'a' } }, new Uint8Array(2))
  WebSocketStream.server()
  WebSocketStream.client('ws://127.0.0.1/')
  WebSocketStream.client(new URL('ws://127.0.0.1/'), { version: 8 })
  // @ts-expect-error made by http, server or client only
  new WebSocketStream()
  // @ts-expect-error the URL is missing
  WebSocketStream.client()
  // @ts-expect-error a request has header fields
  WebSocketStream.http({ method: 'GET', url: '/' })
  // @ts-expect-error no such version
  WebSocketStream.client('ws://127.0.0.1/', { version: 12 })
}

export async function members(ws: WebSocketStream): Promise<void> {
  same<typeof ws.messages, MessagesView>(true)
  same<Message, string | Buffer>(true)
  same<Awaited<typeof ws.opened>, OpenInfo>(true)
  same<Awaited<ReturnType<typeof ws.whenClosed>>, CloseInfo>(true)
  same<typeof ws.closed, boolean>(true)
  same<typeof ws.closeInfo, CloseInfo | undefined>(true)
  same<typeof ws.readyState, ReadyState>(true)
  same<ReadyState, 'connecting' | 'open' | 'closing' | 'closed'>(true)
  same<typeof ws.protocol, string>(true)
  same<typeof ws.extensions, string>(true)
  same<typeof ws.url, string>(true)
  same<typeof ws.request, UpgradeRequest | null>(true)
  same<typeof ws.status, number>(true)
  same<typeof ws.headers, Headers>(true)
  same<typeof ws.bufferedAmount, number>(true)
  same<ReturnType<typeof ws.ping>, Promise<number>>(true)
  same<ReturnType<typeof ws.text>, boolean>(true)
  same<CloseInfo['initiator'], 'local' | 'peer'>(true)
  const version: HybiVersion | '' | string = ws.version
  ws.binary(new Float64Array(1))
  ws.binary(new ArrayBuffer(1))
  ws.binary(new SharedArrayBuffer(1))
  ws.ping('now')
  ws.pong(new Uint8Array(1))
  ws.close()
  ws.close(4000, 'enough')
  ws.setHeader('x-name', ['a', 'b'])
  ws.addExtension(permessageDeflate())
  same<ReturnType<typeof ws.accept>, boolean>(true)
  const accept: AcceptOptions = { headers: { 'x-name': 'a' } }
  ws.accept(accept)
  const refusal: RefusalOptions = { headers: [['x-name', 'a']], body: 'not here' }
  ws.reject(404, refusal)
  await using same_ = ws
  await same_[Symbol.asyncDispose]()
  ws.text(Buffer.from('text'), error => error?.message)
  ws.send(new TextBytes(Buffer.from('text')), { compress: false }, error => error?.message)
  ws.close(null)
  ws.ping('now', { inOrder: true })
  // @ts-expect-error text is a string, or bytes
  ws.text(5)
  // @ts-expect-error binary is bytes
  ws.binary('text')
  // @ts-expect-error a code is a number
  ws.close('1000')
  // @ts-expect-error a payload is text or bytes
  ws.ping(5)
  // @ts-expect-error it is read-only
  ws.protocol = 'chat'
  // @ts-expect-error a refusal has a status
  ws.reject()
  // @ts-expect-error internals are hidden
  void ws.pipeline
  void version
}

export function events(ws: WebSocketStream): void {
  ws.on('request', request => same<typeof request, UpgradeRequest>(true))
  ws.on('open', info => same<typeof info, OpenInfo>(true))
  ws.on('message', message => same<typeof message, string | Buffer>(true))
  ws.on('ping', payload => same<typeof payload, Buffer>(true))
  ws.once('pong', payload => same<typeof payload, Buffer>(true))
  ws.addListener('error', error => same<typeof error, Error>(true))
  ws.prependListener('close', info => same<typeof info, CloseInfo>(true))
  ws.prependOnceListener('close', info => same<typeof info, CloseInfo>(true))
  ws.off('close', (info: CloseInfo) => console.log(info.code))
  // those of any stream are there as well
  ws.on('drain', () => {}).on('unpipe', () => {})
  const chained: WebSocketStream = ws.on('open', () => {}).once('close', () => {})
  const names: keyof WebSocketStreamEvents extends string ? true : false = true
  void [chained, names]
}

export function options(signal: AbortSignal): WebSocketOptions[] {
  const headers: HeaderFields = new Map([['x-name', 'a']])
  return [
    {},
    { protocols: 'chat', headers, origin: 'http://a', version: 7, signal },
    { protocols: ['a', 'b'] as const, origins: ['http://a'], allowDrafts: true },
    { protocols: (offered, request) => (request.url === '/' ? offered[0] : false) },
    { origins: (origin, request) => origin === request.headers['host'] },
    { maxMessageSize: 1, maxFrameSize: 1, maxFragments: 1, maxHeaderSize: 1, maxHeaders: 1 },
    { handshakeTimeout: 1, closeTimeout: 1, fragmentSize: 1, highWaterMark: 1 },
    { keepalive: { interval: 1 } },
    { keepalive: { interval: 1, timeout: 1 }, maxMessageSize: undefined },
    { keepalive: false },
    // @ts-expect-error no such option
    { maxPayload: 1 },
    // @ts-expect-error a number of milliseconds
    { closeTimeout: '1s' },
    // @ts-expect-error it needs an interval
    { keepalive: {} },
    // @ts-expect-error one origin is a string
    { origin: ['http://a'] },
    // @ts-expect-error the function returns a subprotocol
    { protocols: () => 5 }
  ]
}
