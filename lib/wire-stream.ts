// A WebSocketStream as a Duplex of wire bytes: what a socket is piped through. Knows how bytes come and go, and leaves what they mean to
// the Endpoint.

import type { DuplexOptions } from 'node:stream'
import { ignore } from './emitting.js'
import { type Endpoint, kEndpoint, kOver } from './endpoint.js'
import { WebSocketError } from './errors.js'
import type { AllEvents, Listener } from './events.js'
import { nextTick } from './runtime/node.js'
import { askForDrain, Duplex, EventEmitter, lazy, prepareListeners } from './streams.js'
import { surfacing } from './surfacing.js'
import type { TypedDuplex } from './typed-duplex.js'
import { type PipedStream, PipedWire } from './wires/piped-wire.js'

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
   * The bytes for the wire, for a program that carries them itself.
   * @throws TypeError if a stream is attached, which gets them
   */
  override [Symbol.asyncIterator](): NodeJS.AsyncIterator<Buffer> {
    if (this[kEndpoint].isJoined && this[kEndpoint].pipes === undefined) {
      throw new TypeError('ws is the stream of the wire, which is attached; iterate ws.messages')
    }
    return super[Symbol.asyncIterator]()
  }

  // The stream

  override on<E extends keyof AllEvents>(event: E, listener: Listener<E>): this {
    // The other events need no stream state, which Readable.on() would build. A pipe's first act is to listen for 'unpipe'; the state must
    // be there when it emits 'pipe'.
    if (event === 'data' || event === 'readable') this[kEndpoint].pipes?.pipeOrdinarily()
    if (event === 'data' || event === 'readable' || event === 'unpipe') return super.on(event, listener)
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

  /** Gives up at once, without a word to the peer. `error` is emitted if it has a listener. */
  override destroy(error?: Error): this {
    const endpoint = this[kEndpoint]
    // at the natural end of both sides, streams destroy themselves
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
    const pipes = this.pipes()
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
    // what waits for the wire waits in FrameEncoder, where it is counted; and a chunk of a socket's is never too much at once
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
    // a pipe into this stream listens for errors, and throws those that have no other listener
    EventEmitter.prototype.on.call(this, 'error', ignore)
  }

  /** The wire, where it is pipes; undefined where a stream is attached, or will be by `connect`. @internal */
  pipes(): PipedWire | undefined {
    const endpoint = this[kEndpoint]
    if (!endpoint.isJoined && !endpoint.isDialled) {
      endpoint.join(new PipedWire(endpoint, this as unknown as PipedStream))
    }
    return endpoint.pipes
  }

  /** @internal */
  override write(chunk: unknown, ...rest: unknown[]): boolean {
    if (this.pipes() === undefined) return this.refuseWrite(rest.at(-1))
    const more = (super.write as (...args: unknown[]) => boolean)(chunk, ...rest)
    if (!this.pipes()?.isBlocked) return more
    // the chunk that filled the pipeline says so itself, and not only the next one
    askForDrain(this)
    return false
  }

  /** A mistake, as a rule of one who wants to send a message: it is told, and the connection goes on. */
  private refuseWrite(callback: unknown): boolean {
    const error = new TypeError(
      'the bytes of the wire come from the attached stream; to send a message, use send() or messages.write()'
    )
    nextTick(() => {
      if (typeof callback === 'function') callback(error)
      if (this.listenerCount('error') > 0) this.emit('error', error)
    })
    return false
  }

  override _write(chunk: Buffer, _encoding: string, callback: (error?: Error | null) => void): void {
    this.pipes()!.writeInput(chunk, callback)
  }

  override _final(callback: () => void): void {
    const pipes = this.pipes()
    if (pipes === undefined) callback()
    else surfacing(() => pipes.end(callback))
  }

  override _read(): void {
    surfacing(() => this.pipes()?.readOn())
  }

  override _destroy(_error: Error | null, callback: (error?: Error | null) => void): void {
    surfacing(() => this[kEndpoint].over())
    callback()
  }

  /** An attached stream is closed, or there never was a wire. @internal */
  [kOver](): void {
    this[kEndpoint].over()
    if (!this.isBuilt) return
    if (!this[kEndpoint].closeInfo!.wasClean) {
      super.destroy()
      return
    }
    // the end of this stream is emitted
    this.push(null)
    this.resume()
    this.end()
  }
}

function onPipe(this: WireStream, source: NodeJS.EventEmitter): void {
  this.pipes()?.watch(source, 'source')
}

function onUnpipe(this: WireStream, source: NodeJS.EventEmitter): void {
  this.pipes()?.unwatch(source)
}

/** Node never ends these (process.stdout). */
function isStandardOutput(stream: NodeJS.WritableStream): boolean {
  /* c8 ignore next - a browser has no process */
  const { stdout, stderr } = globalThis.process ?? {}
  return stream === stdout || stream === stderr
}
