// The byte side of a WebSocketStream: a Duplex of wire bytes that a socket is piped through. It moves bytes; the Endpoint interprets
// them.

import type { DuplexOptions } from 'node:stream'
import { type Endpoint, kEndpoint, kOver } from './endpoint.js'
import { WebSocketError } from './errors.js'
import { hintEvent } from './event-hints.js'
import { type AllEvents, EVENTS, type Listener } from './events.js'
import { nextTick, warn } from './runtime/node.js'
import { askForDrain, Duplex, EventEmitter, ignore, lazy, prepareListeners } from './streams.js'
import { surfacing } from './surfacing.js'
import type { TypedDuplex } from './typed-duplex.js'
import { type PipedStream, PipedWire } from './wires/piped-wire.js'

const HINTS = new Map([
  ['connect', "did you mean 'open'?"],
  ['disconnect', "did you mean 'close'?"],
  ['upgrade', "did you mean 'open'?"],
  ['unexpected-response', "'error' brings a HandshakeError with status, headers and body"]
])

const BYTES_ARE_TAKEN = 'the bytes of the wire come from the attached stream'

const LazyDuplex = lazy(Duplex) as unknown as new () => TypedDuplex

/** The byte side of a WebSocketStream. */
export abstract class WireStream extends LazyDuplex {
  /** @internal */
  abstract readonly [kEndpoint]: Endpoint

  constructor() {
    super()
    prepareListeners(this)
  }

  /**
   * The bytes for the wire, for a program that transports them itself.
   * @throws TypeError if a stream is attached, since that stream gets them
   */
  override [Symbol.asyncIterator](): NodeJS.AsyncIterator<Buffer> {
    if (this[kEndpoint].isJoined && this[kEndpoint].pipes === undefined) {
      throw new TypeError('the bytes of ws go to the attached stream; to read messages, iterate ws.messages')
    }
    return super[Symbol.asyncIterator]()
  }

  // Overridden methods of Readable and Writable

  override on<E extends keyof AllEvents>(event: E, listener: Listener<E>): this {
    // Other events skip Readable.on(), which would build the stream state. pipe() listens for 'unpipe' before it emits 'pipe', which needs
    // that state.
    if (event === 'data' || event === 'readable') {
      this[kEndpoint].pipes?.pipeOrdinarily()
      this.warnIfAttached()
    }
    if (event === 'data' || event === 'readable' || event === 'unpipe') return super.on(event, listener)
    hintEvent(event, EVENTS, HINTS)
    EventEmitter.prototype.on.call(this, event, listener as never)
    if (event === 'message') this[kEndpoint].receiver.listen()
    return this
  }

  override addListener<E extends keyof AllEvents>(event: E, listener: Listener<E>): this {
    return this.on(event, listener)
  }

  override prependListener<E extends keyof AllEvents>(event: E, listener: Listener<E>): this {
    EventEmitter.prototype.prependListener.call(this, event, listener as never)
    if (event === 'message') this[kEndpoint].receiver.listen()
    return this
  }

  /** Ends the connection at once, without a Close frame. `error` is emitted if it has a listener. */
  override destroy(error?: Error): this {
    const endpoint = this[kEndpoint]
    // streams also call destroy() themselves when both sides have ended
    const natural = this.isBuilt && this.readableEnded && this.writableFinished
    if (!natural && endpoint.closeInfo === undefined) {
      if (error) endpoint.lifecycle.fail(error)
      endpoint.abandon(new WebSocketError('WS_ERR_DESTROYED', { cause: error }))
    }
    if (this.isBuilt) super.destroy()
    return this
  }

  override pipe<T extends NodeJS.WritableStream>(destination: T, options?: { end?: boolean | undefined }): T {
    const end = options?.end !== false && !isStandardOutput(destination)
    const pipes = this.usePipes()
    if (pipes === undefined) super.pipe(destination, { end })
    else pipes.pipeTo(destination, end)
    return destination
  }

  override unpipe(destination?: NodeJS.WritableStream): this {
    this[kEndpoint].pipes?.unpipe(destination)
    if (this.isBuilt) super.unpipe(destination)
    return this
  }

  override pause(): this {
    super.pause()
    this[kEndpoint].pipes?.pause()
    return this
  }

  override resume(): this {
    super.resume()
    this[kEndpoint].pipes?.resume()
    return this
  }

  /** @internal */
  override streamOptions(): DuplexOptions {
    const { highWaterMark } = this[kEndpoint].settings
    // FrameEncoder buffers and counts the output, so nothing is buffered here; a single chunk from a socket always fits the input side
    return {
      emitClose: false,
      readableHighWaterMark: 0,
      writableHighWaterMark: Math.min(Math.max(highWaterMark, 65536) + 1, Number.MAX_SAFE_INTEGER)
    }
  }

  /** @internal */
  override onBuilt(): void {
    EventEmitter.prototype.on.call(this, 'pipe', onPipe)
    EventEmitter.prototype.on.call(this, 'unpipe', onUnpipe)
    // pipe() adds an error listener to its destination that throws if it is the only one
    EventEmitter.prototype.on.call(this, 'error', ignore)
  }

  /** The piped wire; the first call makes and joins it. Undefined if a stream is attached, or will be by `connect`. @internal */
  usePipes(): PipedWire | undefined {
    const endpoint = this[kEndpoint]
    if (!endpoint.isJoined && !endpoint.isDialled) {
      endpoint.join(new PipedWire(endpoint, this as unknown as PipedStream))
    }
    return endpoint.pipes
  }

  /** @internal */
  override write(chunk: unknown, ...rest: unknown[]): boolean {
    if (this.usePipes() === undefined) {
      this.refuse(`${BYTES_ARE_TAKEN}; to send a message, use send() or messages.write()`, rest.at(-1))
      return false
    }
    const more = (super.write as (...args: unknown[]) => boolean)(chunk, ...rest)
    if (!this.usePipes()?.isBlocked) return more
    // return false for the chunk that filled the pipeline, not only for the next one
    askForDrain(this)
    return false
  }

  override end(...args: unknown[]): this {
    // also called after a clean close, to end this stream
    if (this[kEndpoint].closeInfo !== undefined || this.usePipes() !== undefined) {
      ;(super.end as (...args: unknown[]) => unknown)(...args)
      return this
    }
    const hint = args.length === 0 || typeof args[0] === 'function' ? 'close()' : 'send() and close()'
    this.refuse(`${BYTES_ARE_TAKEN}; to close the connection, use ${hint}`, args.at(-1))
    return this
  }

  /** Usually the caller meant to use the messages: report the mistake, and keep the connection open. */
  private refuse(message: string, callback: unknown): void {
    const error = new TypeError(message)
    nextTick(() => {
      if (typeof callback === 'function') callback(error)
      if (this.listenerCount('error') > 0) this.emit('error', error)
    })
  }

  private warnIfAttached(): void {
    const { isJoined, isDialled, pipes } = this[kEndpoint]
    if ((!isJoined && !isDialled) || pipes !== undefined) return
    const why = 'reading ws as a stream gives nothing, since the bytes for the wire go to the attached stream'
    warn(`${why}; for messages, listen for 'message' or read ws.messages`, 'WS_ATTACHED')
  }

  override _write(chunk: Buffer, _encoding: string, callback: (error?: Error | null) => void): void {
    this.usePipes()!.writeInput(chunk, callback)
  }

  override _final(callback: () => void): void {
    const pipes = this.usePipes()
    if (pipes === undefined) callback()
    else surfacing(() => pipes.end(callback))
  }

  override _read(): void {
    surfacing(() => this.usePipes()?.readOn())
  }

  override _destroy(_error: Error | null, callback: (error?: Error | null) => void): void {
    surfacing(() => this[kEndpoint].over())
    callback()
  }

  /** Called when an attached stream has closed, or if there never was a wire. @internal */
  [kOver](): void {
    this[kEndpoint].over()
    if (!this.isBuilt) return
    if (!this[kEndpoint].closeInfo!.wasClean) {
      super.destroy()
      return
    }
    // lets this stream emit 'end' and 'finish'
    this.push(null)
    this.resume()
    this.end()
  }
}

function onPipe(this: WireStream, source: NodeJS.EventEmitter): void {
  this.usePipes()?.watch(source, 'source')
}

function onUnpipe(this: WireStream, source: NodeJS.EventEmitter): void {
  this.usePipes()?.unwatch(source)
}

/** Whether Node never ends this stream (process.stdout, process.stderr). */
function isStandardOutput(stream: NodeJS.WritableStream): boolean {
  /* c8 ignore next - a browser has no process */
  const { stdout, stderr } = globalThis.process ?? {}
  return stream === stdout || stream === stderr
}
