// Passes the frames of one side of a relay to the other unchanged: opcodes, fragments, compression, Pings and Close frames; large frames in
// parts. Of messages it knows only where they end.

import { kEndpoint } from '../endpoint.js'
import type { WebSocketError } from '../errors.js'
import { isCloseBody } from '../protocol/close-code.js'
import { FragmentRules } from '../protocol/fragment-rules.js'
import { Frame } from '../protocol/frame.js'
import { isControl, Opcode } from '../protocol/opcode.js'
import type { FramesView } from '../views/frames-view.js'
import type { Carrier, RelayCounts, Side } from './relay-side.js'

const NO_LIMITS = { maxMessageSize: Number.POSITIVE_INFINITY, maxFragments: Number.POSITIVE_INFINITY }

export interface FrameCarrierOptions {
  readonly counts: RelayCounts
  readonly relaysPings: boolean
}

export class FrameCarrier implements Carrier {
  private readonly input: FramesView
  private readonly output: FramesView
  private readonly rules = new FragmentRules(NO_LIMITS)
  // the rest of a frame has not arrived
  private midFrame = false
  // a control frame waits for the wire of the other side
  private held = false
  private state: 'carrying' | 'stopping' | 'discarding' = 'carrying'
  private closeBody: Buffer | null = null

  constructor(
    private readonly from: Side,
    private readonly to: Side,
    private readonly options: FrameCarrierOptions
  ) {
    this.input = from.ws.frames
    this.output = to.ws.frames
  }

  begin(): void {
    const { input, output } = this
    let isClean = false
    output.on('drain', () => this.resume())
    input.on('data', frame => this.take(frame))
    input.once('end', () => {
      isClean = true
      this.finish(true)
    })
    input.once('close', () => isClean || this.finish(false))
  }

  stop(body: Buffer): void {
    if (this.state !== 'carrying') return
    this.state = 'stopping'
    this.closeBody = body
    if (!this.midFrame) this.closeOutput()
    this.resume()
  }

  discard(): void {
    this.state = 'discarding'
    this.held = false
    this.input.resume()
  }

  release(): void {
    this.input.destroy()
  }

  private take(frame: Frame): void {
    if (!this.to.takesMessages || !this.output.writable) return
    // while the connection is closing, the current frame is still completed, since nothing can be sent inside it
    if (this.state !== 'carrying' && !this.midFrame) return
    if (isControl(frame.opcode)) this.takeControl(frame)
    else this.takeData(frame)
  }

  private takeData(frame: Frame): void {
    const { counts } = this.options
    try {
      // RFC 6455 §5.4: fails the side that broke the rule, not the other one
      if (this.rules.add(frame)) counts.messages++
    } catch (error) {
      this.from.ws[kEndpoint].fail(error as WebSocketError)
      return
    }
    counts.bytes += frame.size
    if (frame.complete) counts.frames++
    this.midFrame = !frame.complete
    if (!this.output.write(frame)) this.input.pause()
    if (this.closeBody !== null && !this.midFrame) this.closeOutput()
  }

  private takeControl(frame: Frame): void {
    if (frame.opcode === Opcode.Pong && this.from.isOwnPong(frame.payload)) return
    // a Close that breaks a rule fails the side that sent it, and not the other one
    if (frame.opcode === Opcode.Close ? isCloseBody(frame.payload) : this.options.relaysPings) this.pass(frame)
  }

  // a blocked wire delays at most one control frame, however many arrive
  private pass(frame: Frame): void {
    if (frame.opcode === Opcode.Close || !this.to.isBlocked) {
      this.output.write(frame)
      return
    }
    this.held = true
    this.input.pause()
    this.to.whenDrained(() => {
      this.held = false
      this.take(frame)
      this.resume()
    })
  }

  private resume(): void {
    if (!this.held) this.input.resume()
  }

  private closeOutput(): void {
    // after the frames that wait
    if (this.to.takesMessages) this.output.write(new Frame(Opcode.Close, this.closeBody!))
    this.closeBody = null
  }

  private finish(isClean: boolean): void {
    if (!this.to.takesMessages) return
    // an incomplete frame cannot be followed by a Close
    if (this.midFrame) this.to.ws.destroy()
    else this.stop(this.from.closing(isClean))
  }
}
