// A client whose wires are opened by `connect`: one, and another for each redirect.

import { Http1ClientDriver } from '../drivers/http1-driver.js'
import { kEndpoint } from '../endpoint.js'
import type { HandshakeError } from '../errors.js'
import type { NodeDuplex } from '../streams.js'
import type { WebSocketStream } from '../websocket-stream.js'
import { AttachedWire } from '../wires/attached-wire.js'

/** The parts of a client that `connect` uses. */
export interface DialClient {
  readonly closeInfo: object | undefined
  attach(wire: NodeDuplex): unknown
  /** Calls `ask` with each response other than 101 before the application sees it; it returns true if it dials again. */
  whenRefused(ask: (refusal: HandshakeError) => boolean): void
  /** Releases the wire, and requests `url` on the next one, without header fields of these lower-case names. */
  redial(url: URL, dropped: readonly string[]): void
}

export class DialledClient implements DialClient {
  constructor(private readonly ws: WebSocketStream) {
    // the application cannot attach a wire
    ws[kEndpoint].isDialled = true
  }

  get closeInfo(): object | undefined {
    return this.ws.closeInfo
  }

  attach(wire: NodeDuplex): void {
    const endpoint = this.ws[kEndpoint]
    endpoint.join(new AttachedWire(endpoint, wire))
  }

  whenRefused(ask: (refusal: HandshakeError) => boolean): void {
    this.ws[kEndpoint].handshake!.whenRefused = ask
  }

  redial(url: URL, dropped: readonly string[]): void {
    const handshake = this.ws[kEndpoint].handshake!
    const { fields, settings } = handshake.driver as Http1ClientDriver
    const headers = fields.filter(([name]) => !dropped.includes(name.toLowerCase()))
    handshake.restart(owner => new Http1ClientDriver(owner, url, { ...settings, headers }))
  }
}
