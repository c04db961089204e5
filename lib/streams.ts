// readable-stream with Node's own types, and Transforms and Duplexes that build their stream state on first use.

import type { EventEmitter as NodeEmitter } from 'node:events'
import type * as node from 'node:stream'
import streams from 'readable-stream'
import { surface } from './surfacing.js'

export type { Duplex as NodeDuplex, Readable as NodeReadable, Writable as NodeWritable } from 'node:stream'

export const Duplex: typeof node.Duplex = streams.Duplex
export const Readable: typeof node.Readable = streams.Readable
export const Writable: typeof node.Writable = streams.Writable
export const Transform: typeof node.Transform = streams.Transform
export const pipeline: typeof node.pipeline = streams.pipeline
/** The base class of these streams: Node's own EventEmitter, or in a browser that of a package. */
export const EventEmitter: typeof NodeEmitter = Object.getPrototypeOf(streams.Stream)

/** A stream class whose constructor does not build the stream state. */
export interface LazyClass<T> {
  new (): T & LazyMembers
  prototype: T & LazyMembers
}

export interface LazyMembers {
  /** Whether the stream state has been built. @internal */
  readonly isBuilt: boolean
  /** The options with which the stream state is built. @internal */
  streamOptions(): node.DuplexOptions
  /** Called once, when the stream state has been built. @internal */
  onBuilt(): void
}

type StreamFunction = { prototype: object; call(self: object, options: node.DuplexOptions): void }

/**
 * A base class like `base` that builds the stream state only when it is used as a stream: when it is read, written or piped, or gets a
 * listener for an event of streams. Node's crypto streams do the same. A thousand idle objects then need a thousand small objects instead
 * of a thousand pairs of stream states (benchmarks/questions/idle.js).
 */
export function lazy<T extends node.Duplex>(base: new (options?: node.DuplexOptions) => T): LazyClass<T> {
  const construct = base as unknown as StreamFunction
  function Lazy(): void {}
  Lazy.prototype = Object.create(construct.prototype, {
    constructor: { value: Lazy, writable: true, configurable: true },
    isBuilt: {
      get(this: object): boolean {
        return Object.hasOwn(this, '_readableState')
      }
    },
    onBuilt: { value(): void {}, writable: true },
    _readableState: stateDescriptor('_readableState'),
    _writableState: stateDescriptor('_writableState')
  })

  function build(self: T & LazyMembers): void {
    for (const name of ['_readableState', '_writableState']) {
      Object.defineProperty(self, name, { value: undefined, writable: true, configurable: true })
    }
    construct.call(self, self.streamOptions())
    self.onBuilt()
  }

  function stateDescriptor(name: '_readableState' | '_writableState'): PropertyDescriptor {
    return {
      configurable: true,
      get(this: (T & LazyMembers) | undefined): unknown {
        // a debugger or a type check may access the property of a prototype, which must not become a stream
        if (!(this instanceof Lazy) || Object.hasOwn(this, 'constructor')) return undefined
        build(this)
        return (this as unknown as Record<string, unknown>)[name]
      }
    }
  }

  return Lazy as unknown as LazyClass<T>
}

// the list of listeners of an emitter, as an object without prototype that is not a dictionary
const Listeners = function Listeners() {} as unknown as { new (): object; prototype: object }
Listeners.prototype = Object.create(null)

/** Gives an emitter a list of listeners that takes 40 bytes instead of 184 (benchmarks/questions/idle.js). */
export function prepareListeners(emitter: object): void {
  const prepared = emitter as { _events: object; _eventsCount: number }
  prepared._events = new Listeners()
  prepared._eventsCount = 0
}

/**
 * Emits an event of a stream. An exception of a listener surfaces in its own tick: thrown here, it would interrupt a loop of the stream,
 * which would then stall.
 */
export function emitSurfacing(stream: NodeEmitter, event: string | symbol, args: unknown[]): boolean {
  try {
    return EventEmitter.prototype.emit.call(stream, event, ...args)
  } catch (error) {
    surface(error)
    return true
  }
}

/** The chunks of a stream, which is not destroyed at the end: its other direction may still be used. */
export function each<T>(stream: node.Readable & AsyncIterable<T>): AsyncIterable<T> {
  return stream.iterator({ destroyOnReturn: false })
}

/** A listener for errors that are reported elsewhere. */
export function ignore(): void {}

/** Makes a stream emit 'drain' when it has room, although its own count says that it has room now. */
export function askForDrain(stream: object): void {
  ;(stream as { _writableState: { needDrain: boolean } })._writableState.needDrain = true
}

/** Emits 'drain' on a stream for which `askForDrain` was called, and which has not been written to since. */
export function giveDrain(stream: { emit(event: 'drain'): boolean }): void {
  ;(stream as unknown as { _writableState: { needDrain: boolean } })._writableState.needDrain = false
  stream.emit('drain')
}

type EndCallback = () => void

/**
 * Writes the last chunk of a call of `end(chunk, encoding, callback)` by the stream's own `write`, which Node's `end` does not call. Returns
 * the callback.
 */
export function writeLast(
  stream: { write(chunk: any, encoding?: any): boolean },
  args: unknown[]
): EndCallback | undefined {
  const [chunk, encoding] = args
  if (typeof chunk !== 'function' && chunk !== undefined && chunk !== null) {
    stream.write(chunk, typeof encoding === 'string' ? encoding : undefined)
  }
  return args.find(arg => typeof arg === 'function') as EndCallback | undefined
}
