// Answers ordinary requests of a server that only accepts WebSockets, and would otherwise leave them without a response.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'

/** 426 (RFC 9110 §15.5.22); on HTTP/2, which has no Upgrade (RFC 9113 §8.6), 404. */
export function answerUnserved(
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse
): void {
  // a `once` listener, already removed, has answered
  if (response.headersSent) return
  const answer = response as ServerResponse
  if (request.httpVersionMajor > 1) answer.writeHead(404).end()
  else answer.writeHead(426, FIELDS).end(TEXT)
}

const TEXT = 'This server only accepts WebSockets.\n'

const FIELDS = {
  'Content-Type': 'text/plain; charset=utf-8',
  'Content-Length': TEXT.length,
  Connection: 'Upgrade',
  Upgrade: 'websocket'
}

/** The same for an HTTP/2 stream without a 'request' event. */
export function answerUnservedStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
  // as node:http2 does with a listener for 'request'
  stream.respond({ ':status': headers[':method'] === 'CONNECT' ? 405 : 404 }, { endStream: true })
}
