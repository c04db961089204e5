// readable-stream under Node's own types, and Transforms and Duplexes that build their stream state when it is first needed.

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
/** What these streams are made of: Node's own, or in a browser that of a package. */
export const EventEmitter: typeof NodeEmitter = Object.getPrototypeOf(streams.Stream)

/** A stream class whose constructor builds nothing. */
export interface LazyClass<T> {
  new (): T & LazyMembers
  prototype: T & LazyMembers
}

export interface LazyMembers {
  /** Whether the stream state is there. @internal */
  readonly isBuilt: boolean
  /** The options with which the stream state is built. @internal */
  streamOptions(): node.DuplexOptions
  /** Called once, when the stream state has been built. @internal */
  onBuilt(): void
}

type StreamFunction = { prototype: object; call(self: object, options: node.DuplexOptions): void }

/**
 * A base class like `base` that leaves its state out until it is used as a stream: reads, writes, pipes, or listens
 * for what only a stream emits. Node's crypto streams do the same. A thousand idle objects then cost a thousand small
 * objects, and not a thousand pairs of stream states (benchmarks/questions/idle.js).
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
        // a debugger or a type check may look at a prototype, which must not become a stream
        if (!(this instanceof Lazy) || Object.hasOwn(this, 'constructor')) return undefined
        build(this)
        return (this as unknown as Record<string, unknown>)[name]
      }
    }
  }

  return Lazy as unknown as LazyClass<T>
}

// an emitter's list of listeners: an object that inherits nothing, and is no dictionary
const Listeners = function Listeners() {} as unknown as { new (): object; prototype: object }
Listeners.prototype = Object.create(null)

/** Gives an emitter its list of listeners in a form that weighs 40 bytes, where its own has 184 (benchmarks/questions/idle.js). */
export function prepareListeners(emitter: object): void {
  const prepared = emitter as { _events: object; _eventsCount: number }
  prepared._events = new Listeners()
  prepared._eventsCount = 0
}

/**
 * Emits an event of a stream. What a listener throws surfaces in a tick of its own: thrown here it would break off a loop of the stream,
 * which then stands still.
 */
export function emitSurfacing(stream: NodeEmitter, event: string | symbol, args: unknown[]): boolean {
  try {
    return EventEmitter.prototype.emit.call(stream, event, ...args)
  } catch (error) {
    surface(error)
    return true
  }
}

/** Has a stream emit 'drain' when it has room, though its own count says that it has. */
export function askForDrain(stream: object): void {
  ;(stream as { _writableState: { needDrain: boolean } })._writableState.needDrain = true
}

/** Has a stream that was asked for 'drain', and to which nothing was written since, emit it. */
export function giveDrain(stream: { emit(event: 'drain'): boolean }): void {
  ;(stream as unknown as { _writableState: { needDrain: boolean } })._writableState.needDrain = false
  stream.emit('drain')
}
