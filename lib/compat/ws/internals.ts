// The names of private members of a WebSocket and a WebSocketServer. They are symbols, since programs extend both classes and add their own
// properties: `ws.type`, `ws.sender`, a method `receive`.

// the state of a WebSocket
export const kPhase = Symbol('phase')
export const kCore = Symbol('core')
export const kWire = Symbol('wire')
export const kType = Symbol('binaryType')
export const kPaused = Symbol('paused')
export const kSender = Symbol('sender')
export const kLateBytes = Symbol('late bytes')
export const kCloseSize = Symbol('size of the Close')
export const kHasFailed = Symbol('has failed')
export const kRequests = Symbol('requests')

// its methods
export const kGiveUp = Symbol('give up')
export const kSendWith = Symbol('send with options')
export const kControl = Symbol('send a control frame')
export const kCanSend = Symbol('can send')

/** Takes a connection, on which the handshake was done with `attach`, and emits `open`. */
export const kAdopt = Symbol('adopt')
/** The connection could not be opened. */
export const kFail = Symbol('fail')
/** It can no longer be opened; `kFail` reports why. */
export const kFailing = Symbol('failing')
/** Whether both sides have sent a Close frame. */
export const kWasClean = Symbol('was clean')

// called by the core
export const kReceive = Symbol('receive')
export const kBroke = Symbol('broke')
export const kEnded = Symbol('ended')

// of a WebSocketServer
export const kState = Symbol('state')
export const kSubscriptions = Symbol('subscriptions')
export const kWaitsForClients = Symbol('waits for clients')
export const kListen = Symbol('listen')
export const kUse = Symbol('use')
export const kClosed = Symbol('closed')
export const kRefuseInvalid = Symbol('refuse')
export const kRefuseByCore = Symbol('refuse what the core refuses')
export const kVerify = Symbol('verify')
export const kComplete = Symbol('complete')
export const kAddedFields = Symbol('added fields')
export const kConnected = Symbol('connected')
export const kForget = Symbol('forget')
