// The event objects of a driver.

/** For `connect`: the head of a request, or of a proxy's response, has arrived. */
export class ConnectEvent {}

/** For `open`: the opening handshake is done. */
export class OpenEvent {}

/** For `close`: the connection has ended. */
export class CloseEvent {
  /**
   * @param code - the code of the peer's Close, or of the error; null in hixie-75 and hixie-76, which have none
   * @param reason - the reason that belongs to it
   */
  constructor(
    readonly code: number | null,
    readonly reason: string | null
  ) {}
}

/** For `message`: a whole message has arrived. */
export class MessageEvent {
  /** @param data - a string for text, a Buffer for binary */
  constructor(readonly data: string | Buffer) {}
}

/** For `ping`: a Ping has arrived and was answered. */
export class PingEvent {
  /** @param data - the payload as text */
  constructor(readonly data: string) {}
}

/** For `pong`: a Pong has arrived. */
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
  /** A Ping has arrived and was answered. */
  ping: [event: PingEvent]
  /** A Pong has arrived. */
  pong: [event: PongEvent]
  /** The connection has failed; `close` follows. Ignored without a listener. */
  error: [error: Error]
  /** The closing handshake is done, or the connection has failed. The application must end the wire. */
  close: [event: CloseEvent]
}
