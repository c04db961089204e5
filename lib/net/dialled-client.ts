// A client whose wires `connect` opens, one after the other where a server sends it elsewhere.

import { Http1ClientDriver } from '../drivers/http1-driver.js'
import { kEndpoint } from '../endpoint.js'
import type { HandshakeError } from '../errors.js'
import type { NodeDuplex } from '../streams.js'
import type { WebSocketStream } from '../websocket-stream.js'
import { AttachedWire } from '../wires/attached-wire.js'

/** What a call needs of a client. */
export interface Caller {
  readonly closeInfo: object | undefined
  attach(wire: NodeDuplex): unknown
  /** Has a function asked about each answer other than 101, before anyone hears of it; true where it begins anew. */
  whenRefused(ask: (answer: HandshakeError) => boolean): void
  /** Lets go of the wire, and asks for `url` on the next one, without fields of these lower-case names. */
  redial(url: URL, dropped: readonly string[]): void
}

export class DialledClient implements Caller {
  constructor(private readonly ws: WebSocketStream) {
    // nothing else becomes its wire
    ws[kEndpoint].isDialled = true
  }

  get closeInfo(): object | undefined {
    return this.ws.closeInfo
  }

  attach(wire: NodeDuplex): void {
    const endpoint = this.ws[kEndpoint]
    endpoint.join(new AttachedWire(endpoint, wire))
  }

  whenRefused(ask: (answer: HandshakeError) => boolean): void {
    this.ws[kEndpoint].handshake!.whenRefused = ask
  }

  redial(url: URL, dropped: readonly string[]): void {
    const handshake = this.ws[kEndpoint].handshake!
    const { fields, settings } = handshake.driver as Http1ClientDriver
    const headers = fields.filter(([name]) => !dropped.includes(name.toLowerCase()))
    handshake.restart(owner => new Http1ClientDriver(owner, url, { ...settings, headers }))
  }
}
