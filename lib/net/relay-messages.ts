// Passes the messages of one side of a relay to the other, each as a stream, or whole if the application inspects it. Knows no frames.

import { WebSocketError } from '../errors.js'
import type { Message } from '../protocol/message-joiner.js'
import type { Sendable } from '../protocol/message-splitter.js'
import { Opcode } from '../protocol/opcode.js'
import { each, type NodeDuplex, pipeline } from '../streams.js'
import type { MessageStream } from '../views/message-stream.js'
import type { MessagesView } from '../views/messages-view.js'
import type { StreamsView } from '../views/streams-view.js'
import type { MessageHook, MessageTransform, RelayDirection } from './relay-options.js'
import type { Carrier, RelayCounts, Side } from './relay-side.js'

export interface MessageCarrierOptions {
  readonly counts: RelayCounts
  readonly relaysPings: boolean
  readonly direction: RelayDirection
  readonly onMessage: MessageHook | undefined
  readonly transform: MessageTransform | undefined
  /** A function or stream of the application failed. */
  failed(error: unknown): void
}

interface Writable {
  write(item: unknown, callback: (error?: Error | null) => void): unknown
}

export class MessageCarrier implements Carrier {
  private discarding = false
  // a Ping that waits for the blocked wire of the other side: only the newest needs an answer (RFC 6455 §5.5.3)
  private ping: Buffer | null = null

  constructor(
    private readonly from: Side,
    private readonly to: Side,
    private readonly options: MessageCarrierOptions
  ) {}

  begin(): void {
    if (this.options.relaysPings) {
      this.from.ws.on('ping', payload => this.passPing(payload))
      this.from.ws.on('pong', payload => this.passPong(payload))
    }
    void this.run()
  }

  stop(body: Buffer): void {
    this.discarding = true
    this.to.close(body)
  }

  discard(): void {
    this.discarding = true
  }

  release(): void {
    this.viewOf(this.from).destroy()
  }

  private viewOf({ ws }: Side): StreamsView | MessagesView {
    return this.options.onMessage === undefined ? ws.streams : ws.messages
  }

  private get isWanted(): boolean {
    return !this.discarding && this.to.takesMessages
  }

  private async run(): Promise<void> {
    const { onMessage } = this.options
    let isClean = true
    try {
      if (onMessage === undefined)
        for await (const message of each(this.from.ws.streams)) await this.passStream(message)
      else for await (const message of each(this.from.ws.messages)) await this.passWhole(message, onMessage)
    } catch {
      isClean = false
    }
    if (this.isWanted) this.stop(this.from.closing(isClean))
  }

  private async passWhole(message: Message, onMessage: MessageHook): Promise<void> {
    if (!this.isWanted) return
    let changed: Sendable | null | undefined | void
    try {
      changed = await onMessage(message, this.options.direction)
    } catch (error) {
      this.options.failed(error)
      return
    }
    this.count(Buffer.byteLength(message))
    this.options.counts.messages++
    if (changed !== null && this.isWanted) await this.write(changed ?? message)
  }

  private async passStream(message: MessageStream): Promise<void> {
    if (!this.isWanted) {
      message.destroy()
      return
    }
    this.options.counts.messages++
    const transform = this.makeTransform(message)
    if (transform === undefined) return
    if (transform === null && isAllThere(message)) {
      const piece: Message = message.read() ?? (message.kind === 'text' ? '' : Buffer.alloc(0))
      this.count(Buffer.byteLength(piece))
      await this.write(piece)
      return
    }
    await this.passPieces(message, transform)
  }

  /** Undefined if the application's function threw. */
  private makeTransform(message: MessageStream): NodeDuplex | null | undefined {
    try {
      return this.options.transform?.(message.kind) ?? null
    } catch (error) {
      this.options.failed(error)
      return undefined
    }
  }

  /** Resolves when the message has been passed on, or cannot be. */
  private passPieces(message: MessageStream, transform: NodeDuplex | null): Promise<void> {
    const writer = this.to.ws.createMessage(message.kind)
    // before the pipeline destroys the writer, which would send its own Close
    message.once('error', error => {
      if (error instanceof WebSocketError && this.isWanted) this.stop(this.from.closing(this.from.hasClosed))
    })
    message.on('data', piece => this.count(Buffer.byteLength(piece)))
    return new Promise(resolve => {
      pipeline(transform === null ? [message, writer] : [message, transform, writer], error => {
        if (error && !(error instanceof WebSocketError)) this.options.failed(error)
        resolve()
      })
    })
  }

  /** Sends a whole message; resolves when the wire has room for another, or never will. */
  private write(message: Sendable): Promise<unknown> {
    const view: Writable = this.viewOf(this.to)
    return new Promise(resolve => view.write(message, resolve))
  }

  private count(bytes: number): void {
    this.options.counts.bytes += bytes
  }

  private passPong(payload: Buffer): void {
    if (!this.from.isOwnPong(payload)) this.to.sendControl(Opcode.Pong, payload)
  }

  private passPing(payload: Buffer): void {
    if (!this.to.isBlocked) {
      this.to.sendControl(Opcode.Ping, payload)
      return
    }
    const isFirst = this.ping === null
    this.ping = payload
    if (!isFirst) return
    this.to.whenDrained(() => {
      const newest = this.ping!
      this.ping = null
      this.to.sendControl(Opcode.Ping, newest)
    })
  }
}

/** Whether a whole message has already arrived: then it can be sent without fragmentation. */
function isAllThere(message: MessageStream): boolean {
  return (message as unknown as { _readableState: { ended: boolean } })._readableState.ended
}
