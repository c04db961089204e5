// The WHATWG's interface for event listeners, on top of the EventEmitter that a WebSocket of `ws` is: each handler is added as a listener,
// in a wrapper that creates the event object.

import type { EventEmitter } from 'node:events'
import { type InspectOptions, inspect } from 'node:util'
import type { Data } from './events.js'
import { kWasClean } from './internals.js'

/** The type and target of an event. */
export class SocketEvent<Target = unknown> {
  #type: string
  #target: Target | null = null

  constructor(type: string) {
    this.#type = type
  }

  /** `'open'`, `'message'`, `'error'` or `'close'`. */
  get type(): string {
    return this.#type
  }

  /** The WebSocket that emitted the event. */
  get target(): Target {
    return this.#target as Target
  }

  /** What `console.log` shows. @internal */
  [inspect.custom](_depth: number, options: InspectOptions): string {
    const shown: Record<string, unknown> = {}
    for (const name in this) if (name !== 'target') shown[name] = this[name]
    return `${this.constructor.name} ${inspect(shown, options)}`
  }

  /** @internal */
  setTarget(target: Target): this {
    this.#target = target
    return this
  }
}

/** The event of a message. */
export class MessageEvent<Target = unknown> extends SocketEvent<Target> {
  #data: Data

  constructor(type: string, { data = null }: { data?: unknown } = {}) {
    super(type)
    this.#data = data as Data
  }

  /** A string for text; binary in the form of `binaryType`. */
  get data(): Data {
    return this.#data
  }
}

/** The event of the end of a connection. */
export class CloseEvent<Target = unknown> extends SocketEvent<Target> {
  #info: { code: number; reason: string; wasClean: boolean }

  constructor(type: string, { code = 0, reason = '', wasClean = false } = {}) {
    super(type)
    this.#info = { code, reason, wasClean }
  }

  /** The close code, as in the `close` event of `on`. */
  get code(): number {
    return this.#info.code
  }

  /** The reason that belongs to it. */
  get reason(): string {
    return this.#info.reason
  }

  /** Whether both sides have sent a Close frame. */
  get wasClean(): boolean {
    return this.#info.wasClean
  }
}

/** The event of an error. */
export class ErrorEvent<Target = unknown> extends SocketEvent<Target> {
  #error: unknown
  #message: string

  constructor(type: string, { error = null, message = '' }: { error?: unknown; message?: string } = {}) {
    super(type)
    this.#error = error
    this.#message = message
  }

  /** The error. */
  get error(): any {
    return this.#error
  }

  /** Its text. */
  get message(): string {
    return this.#message
  }
}

for (const [{ prototype }, names] of [
  [SocketEvent, ['type', 'target']],
  [MessageEvent, ['data']],
  [CloseEvent, ['code', 'reason', 'wasClean']],
  [ErrorEvent, ['error', 'message']]
] as const) {
  // as in the interfaces of the WHATWG
  for (const name of names) Object.defineProperty(prototype, name, { enumerable: true })
}

/** A function, or an object with a method `handleEvent`. */
export type Handler = ((event: never) => void) | { handleEvent(event: never): void }

/** The property of a wrapper that holds the handler. */
export const kHandler = Symbol('handler')
/** The property of a wrapper that tells whether it was set by `onopen` and the like. */
export const kIsAttribute = Symbol('is an attribute')

type Wrapper = ((...args: any[]) => void) & { [kHandler]?: Handler; [kIsAttribute]?: boolean }

/** The object that event objects refer to. */
export interface Target extends Pick<EventEmitter, 'listeners'> {
  readonly [kWasClean]: boolean
  on(event: string, listener: Wrapper): unknown
  once(event: string, listener: Wrapper): unknown
  removeListener(event: string, listener: Wrapper): unknown
}

const MAKERS: Record<string, (target: Target, ...args: never[]) => SocketEvent<Target>> = {
  open: () => new SocketEvent('open'),
  message: (_target, data: Buffer, isBinary: boolean) =>
    new MessageEvent('message', { data: isBinary ? data : data.toString() }),
  error: (_target, error: Error) => new ErrorEvent('error', { error, message: error.message }),
  close: ({ [kWasClean]: wasClean }, code: number, reason: Buffer) =>
    new CloseEvent('close', { code, reason: reason.toString(), wasClean })
}

/** Events of other types have no such handlers. */
export function addHandler(target: Target, type: string, handler: Handler, once: boolean, isAttribute = false): void {
  if (!Object.hasOwn(MAKERS, type)) return
  if (!isAttribute && find(target, type, handler, false) !== undefined) return
  const make = MAKERS[type] as (target: Target, ...args: unknown[]) => SocketEvent<Target>
  const wrapper: Wrapper = (...args: unknown[]) => call(handler, target, make(target, ...args).setTarget(target))
  wrapper[kHandler] = handler
  wrapper[kIsAttribute] = isAttribute
  if (once) target.once(type, wrapper)
  else target.on(type, wrapper)
}

export function removeHandler(target: Target, type: string, handler: Handler): void {
  const wrapper = find(target, type, handler, false)
  if (wrapper !== undefined) target.removeListener(type, wrapper)
}

/** The value of `onopen` and the like; null if not set. */
export function attribute(target: Target, type: string): Handler | null {
  return find(target, type, undefined, true)?.[kHandler] ?? null
}

export function setAttribute(target: Target, type: string, handler: unknown): void {
  const old = find(target, type, undefined, true)
  if (old !== undefined) target.removeListener(type, old)
  if (typeof handler === 'function') addHandler(target, type, handler as Handler, false, true)
}

function find(target: Target, type: string, handler: Handler | undefined, isAttribute: boolean): Wrapper | undefined {
  return (target.listeners(type) as Wrapper[]).find(
    wrapper => wrapper[kIsAttribute] === isAttribute && (handler === undefined || wrapper[kHandler] === handler)
  )
}

function call(handler: Handler, target: Target, event: SocketEvent<Target>): void {
  if (typeof handler === 'function') handler.call(target, event as never)
  else handler.handleEvent(event as never)
}
