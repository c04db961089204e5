// The streams view: an object-mode Duplex of MessageStreams, each message as it arrives, never buffered whole.

import { WebSocketError } from '../errors.js'
import type { Outgoing } from '../protocol/message-splitter.js'
import { setImmediate } from '../runtime/node.js'
import type { Written } from '../stages/frame-encoder.js'
import { ignore, type NodeReadable, pipeline } from '../streams.js'
import { surfacing } from '../surfacing.js'
import type { MessageKind, MessageStream } from './message-stream.js'
import type { MessageWriter } from './message-writer.js'
import { View, type ViewOwner } from './view.js'

export interface StreamsOwner extends ViewOwner {
  /** Begins a message that is written in pieces, as the next one; with null the first piece decides its kind. */
  beginMessage(kind: MessageKind | null): MessageWriter
}

/**
 * Messages as streams. Reading gives a MessageStream for each message as soon as it begins; the next one is given when this one has been
 * read or destroyed, or when the application asks for it without reading this one. `write` takes Readables, which are sent as one message
 * with a fragment for each chunk (as text if the Readable has an encoding, `kind: 'text'`, or a string as first chunk), and whole messages
 * like `messages.write`; its callback runs when the message has been sent. `end` closes with 1000.
 */
export class StreamsView extends View<Outgoing | NodeReadable, MessageStream> {
  // the last stream given to the application
  private handedOut: MessageStream | null = null
  // the Readable that is being sent
  private current: NodeReadable | null = null
  // Readables that wait for their turn: nothing else destroys them
  private readonly sources = new Set<NodeReadable>()

  constructor(private readonly streams: StreamsOwner) {
    super(streams)
  }

  /** @internal */
  override deliver(stream: MessageStream): boolean {
    const more = super.deliver(stream)
    // a 'data' listener gets the stream without a call of read()
    if (this.readableFlowing && this.readableLength === 0) this.leave(stream)
    return more
  }

  override read(size?: number): MessageStream | null {
    if (size !== 0) this.leave(this.handedOut)
    const stream = super.read(size) as MessageStream | null
    if (stream !== null) this.handedOut = stream
    return stream
  }

  override write(item: Outgoing | NodeReadable, ...rest: any[]): boolean {
    if (!isReadable(item)) return super.write(item, ...rest)
    // pausing it again would stop the message that it is being sent as
    if (item === this.current || this.sources.has(item)) throw new TypeError('this Readable has already been written')
    // the Readable may have to wait for its turn; an error meanwhile is noticed when its turn comes
    item.pause()
    item.on('error', ignore)
    if (this.writableEnded || this.destroyed) item.destroy()
    else this.sources.add(item)
    return super.write(item, ...rest)
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    for (const source of this.sources) source.destroy()
    super._destroy(error, callback)
  }

  /** A Readable may take its time, unless it waits for a message that the application has not ended. @internal */
  protected override endsSoon(): void {
    if (this.current !== null) this.owner.endsWhenStuck()
    else super.endsSoon()
  }

  /** @internal */
  override proceed(): void {
    if (this.current === null) super.proceed()
  }

  protected override send(item: Outgoing | NodeReadable, written: Written | null): boolean {
    if (!isReadable(item)) return this.owner.sendItem(item, written)
    this.sources.delete(item)
    this.current = item
    pipeline(item, this.streams.beginMessage(kindOf(item)), error => {
      this.current = null
      if (written !== null) surfacing(() => written(error ?? null))
      // the connection can send no more messages, but may still receive some
      if (error instanceof WebSocketError && error.code === 'WS_ERR_NOT_OPEN') {
        this.failWrites()
        return
      }
      const { waiting } = this
      this.waiting = null
      waiting?.(error ?? null)
    })
    return false
  }

  // The application asks for the next message: skip this one if it was not read. A 'data' listener is asked for the next one before it
  // could start to read, so it has the rest of this turn.
  private leave(stream: MessageStream | null): void {
    if (stream === null || stream.isWanted) return
    if (this.readableFlowing) setImmediate(() => stream.isWanted || stream.skip())
    else stream.skip()
  }
}

function isReadable(item: unknown): item is NodeReadable {
  // a Writable has pipe() too
  return (
    typeof item === 'object' && item !== null && 'pipe' in item && typeof (item as NodeReadable).pause === 'function'
  )
}

function kindOf(readable: NodeReadable & { kind?: unknown }): MessageKind | null {
  if (readable.kind === 'text' || readable.kind === 'binary') return readable.kind
  if (readable.readableEncoding) return 'text'
  return readable.readableObjectMode ? null : 'binary'
}
