// The names of what a WebSocket and a WebSocketServer keep to themselves. Symbols, since programs extend both classes and put properties of their own on
// both: `ws.type`, `ws.sender`, a method `receive`.

// of a WebSocket: its state
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

// what it does
export const kGiveUp = Symbol('give up')
export const kSendWith = Symbol('send with options')
export const kControl = Symbol('send a control frame')
export const kCanSend = Symbol('can send')

/** Takes a connection, whose handshake is done with `attach`, and emits `open`. */
export const kAdopt = Symbol('adopt')
/** The connection was never opened. */
export const kFail = Symbol('fail')
/** Nothing can open it any more; `kFail` says why. */
export const kFailing = Symbol('failing')
/** Whether both sides have sent a Close frame. */
export const kWasClean = Symbol('was clean')

// what the core tells it
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
export const kRefuseWrong = Symbol('refuse')
export const kVerify = Symbol('verify')
export const kComplete = Symbol('complete')
export const kAddedFields = Symbol('added fields')
export const kConnected = Symbol('connected')
export const kForget = Symbol('forget')
