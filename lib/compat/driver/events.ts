// What the events of a driver carry.

/** Of `connect`: the head of a request, or of a proxy's answer, has arrived. */
export class ConnectEvent {}

/** Of `open`: the opening handshake is done. */
export class OpenEvent {}

/** Of `close`: nothing more comes or goes. */
export class CloseEvent {
  /**
   * @param code - of the peer's Close, or of the error; null in hixie-75 and hixie-76, which have none
   * @param reason - along with it
   */
  constructor(
    readonly code: number | null,
    readonly reason: string | null
  ) {}
}

/** Of `message`: a whole message has arrived. */
export class MessageEvent {
  /** @param data - a string for text, a Buffer for binary */
  constructor(readonly data: string | Buffer) {}
}

/** Of `ping`, which has been answered. */
export class PingEvent {
  /** @param data - the payload as text */
  constructor(readonly data: string) {}
}

/** Of `pong`. */
export class PongEvent {
  /** @param data - the payload as text */
  constructor(readonly data: string) {}
}

/** The events of a driver. */
export interface DriverEvents {
  /** `server()`: a request has arrived, whether it asks for a WebSocket or not. */
  connect: [event: ConnectEvent]
  /** The opening handshake is done. */
  open: [event: OpenEvent]
  /** A whole message has arrived. */
  message: [event: MessageEvent]
  /** A Ping has arrived, and was answered. */
  ping: [event: PingEvent]
  /** A Pong has arrived. */
  pong: [event: PongEvent]
  /** The connection has failed; `close` follows. Ignored without a listener. */
  error: [error: Error]
  /** The closing handshake is done, or the connection has failed. The wire is the application's to end. */
  close: [event: CloseEvent]
}
