// For extensions that process only whole messages: collects frames into a message, within the limits, has the extensions process it, and
// passes it on as one frame. One message at a time, so that the order is kept even if an extension is slow.

import type Extensions from 'websocket-extensions'
import { WebSocketError } from '../errors.js'
import { FragmentRules, tooLarge } from '../protocol/fragment-rules.js'
import { Frame } from '../protocol/frame.js'
import type { Opcode } from '../protocol/opcode.js'
import { allocate, free, release } from '../protocol/received-bytes.js'
import { Buffer, MAX_LENGTH } from '../runtime/node.js'
import type { ExtensionCallback, ExtensionMessage, FrameCodec } from './extension.js'
import type { NegotiationLimits } from './negotiation.js'

/** Memory for a message may be this many times what has arrived of it, if its frame announces more. */
const ROOM_AHEAD = 16

const EMPTY = Buffer.alloc(0)

type Process = (message: ExtensionMessage, callback: ExtensionCallback) => void

/** Both directions of one set of extensions. */
export class MessageCodecs {
  readonly incoming: FrameCodec
  readonly outgoing: FrameCodec

  constructor(container: Extensions, rsv: number, limits: NegotiationLimits) {
    let open = 2
    const closed = (): void => {
      if (--open === 0) container.close()
    }
    const receive: Process = (message, callback) => container.processIncomingMessage(message, callback)
    const send: Process = (message, callback) => container.processOutgoingMessage(message, callback)
    // the last extension must have cleared the reserved bits
    this.incoming = new MessageCodec(receive, closed, 0, limits)
    const { POSITIVE_INFINITY } = Number
    this.outgoing = new MessageCodec(send, closed, rsv, {
      maxMessageSize: POSITIVE_INFINITY,
      maxFragments: POSITIVE_INFINITY,
      closeTimeout: limits.closeTimeout
    })
  }
}

class MessageCodec implements FrameCodec {
  busy = false
  ready: (() => void) | null = null
  private progress: MessageInProgress | null = null
  private result: Frame | null = null
  private error: WebSocketError | null = null
  private closed = false
  private patience: NodeJS.Timeout | undefined = undefined
  private readonly rules: FragmentRules

  constructor(
    private readonly process: Process,
    private readonly whenClosed: () => void,
    private readonly rsv: number,
    private readonly limits: NegotiationLimits
  ) {
    this.rules = new FragmentRules(limits)
  }

  push(frame: Frame): void {
    try {
      this.gather(frame)
    } catch (error) {
      this.error = error as WebSocketError
    }
  }

  next(): Frame | null {
    if (this.error !== null) throw this.error
    const { result } = this
    this.result = null
    return result
  }

  close(): void {
    if (this.closed) return
    this.closed = true
    this.busy = false
    this.progress = this.result = null
    clearTimeout(this.patience)
    this.whenClosed()
  }

  private gather(frame: Frame): void {
    const isLast = this.rules.add(frame)
    this.progress ??= new MessageInProgress(frame.opcode, frame.rsv)
    const { progress } = this
    progress.append(frame)
    if (!isLast) return
    this.progress = null
    this.run(progress)
  }

  private run(progress: MessageInProgress): void {
    const { opcode, rsv, data } = progress
    const message = { rsv1: (rsv & 4) !== 0, rsv2: (rsv & 2) !== 0, rsv3: (rsv & 1) !== 0, opcode, data }
    let isHere = true
    this.busy = true
    const done = (error: unknown, result: ExtensionMessage | undefined): void => {
      if (!this.busy) return
      this.busy = false
      clearTimeout(this.patience)
      this.take(opcode, error, result)
      if (!isHere) this.ready?.()
    }
    try {
      this.process(message, done)
    } catch (error) {
      done(error, undefined)
    }
    isHere = false
    const { closeTimeout } = this.limits
    if (!this.busy || closeTimeout === Number.POSITIVE_INFINITY) return
    this.patience = setTimeout(() => done(new Error(`no answer in ${closeTimeout} ms`), undefined), closeTimeout)
  }

  private take(opcode: Opcode, error: unknown, message: ExtensionMessage | undefined): void {
    try {
      if (error) throw error
      if (!(message?.data instanceof Uint8Array)) throw new TypeError('an extension returned no message')
      if (message.data.length > this.limits.maxMessageSize)
        throw tooLarge(message.data.length, this.limits.maxMessageSize)
      const rsv = (message.rsv1 ? 4 : 0) | (message.rsv2 ? 2 : 0) | (message.rsv3 ? 1 : 0)
      this.result = new Frame(opcode, message.data, true, rsv & this.rsv)
    } catch (cause) {
      this.error = cause instanceof WebSocketError ? cause : failureOf(cause)
    }
  }
}

/** Close codes for the `type` of an extension's error (websocket-extensions, "Extension sessions"). */
const CLOSE_CODES: Readonly<Record<string, number>> = {
  protocol_error: 1002,
  unacceptable: 1003,
  encoding_error: 1007,
  policy_violation: 1008,
  too_large: 1009,
  unexpected_condition: 1011
}

function failureOf(cause: unknown): WebSocketError {
  const detail = cause instanceof Error ? cause.message : String(cause)
  const { type } = Object(cause) as { type?: unknown }
  const closeCode = typeof type === 'string' && Object.hasOwn(CLOSE_CODES, type) ? CLOSE_CODES[type] : undefined
  if (closeCode === undefined) return new WebSocketError('WS_ERR_EXTENSION', { cause, detail })
  const code = type === 'too_large' ? 'WS_ERR_MESSAGE_TOO_LARGE' : 'WS_ERR_EXTENSION'
  return new WebSocketError(code, { cause, detail, closeCode })
}

/**
 * The message being collected, in one growing buffer, since the peer may send parts of any size. Extensions may modify it, so it is not
 * shared.
 */
class MessageInProgress {
  private bytes: Buffer = EMPTY
  private used = 0

  constructor(
    readonly opcode: Opcode,
    readonly rsv: number
  ) {}

  get data(): Buffer {
    return this.bytes.subarray(0, this.used)
  }

  append(frame: Frame): void {
    const end = this.used + frame.size
    if (end > this.bytes.length) this.grow(end, this.used + frame.length - frame.offset)
    frame.copy(this.bytes, this.used)
    release(frame)
    this.used = end
  }

  /** @param announced - bytes needed when the current frame is complete */
  private grow(needed: number, announced: number): void {
    const room = Math.max(needed, this.bytes.length * 2, Math.min(announced, needed * ROOM_AHEAD))
    const bytes = allocate(Math.min(room, Math.max(needed, MAX_LENGTH)))
    this.bytes.copy(bytes, 0, 0, this.used)
    free(this.bytes)
    this.bytes = bytes
  }
}
