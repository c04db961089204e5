// The WHATWG's interface for listeners, over the EventEmitter that a WebSocket of `ws` is: each listener of the one is a listener of the
// other, in a wrapper that makes the event.

import type { EventEmitter } from 'node:events'

/** What is told, and by whom. */
export class SocketEvent<Target> {
  constructor(
    /** `'open'`, `'message'`, `'error'` or `'close'`. */
    readonly type: string,
    /** The WebSocket that it happened to. */
    readonly target: Target
  ) {}
}

/** A message. */
export class MessageEvent<Target> extends SocketEvent<Target> {
  constructor(
    target: Target,
    /** A string for text; as `binaryType` says for binary. */
    readonly data: unknown
  ) {
    super('message', target)
  }
}

/** The end of a connection. */
export class CloseEvent<Target> extends SocketEvent<Target> {
  constructor(
    target: Target,
    /** As in `close` of `on`. */
    readonly code: number,
    /** The reason along with it. */
    readonly reason: string,
    /** Whether both sides have sent a Close frame. */
    readonly wasClean: boolean
  ) {
    super('close', target)
  }
}

/** What went wrong. */
export class ErrorEvent<Target> extends SocketEvent<Target> {
  /** The text of the error. */
  readonly message: string

  constructor(
    target: Target,
    /** The error. */
    readonly error: Error
  ) {
    super('error', target)
    this.message = error.message
  }
}

/** A function, or an object with a method `handleEvent`. */
export type Handler = ((event: never) => void) | { handleEvent(event: never): void }

/** Where a wrapper has the handler. @internal */
export const kHandler = Symbol('handler')
/** Whether a wrapper is that of `onopen` or its like. @internal */
export const kIsAttribute = Symbol('is an attribute')

type Wrapper = ((...args: any[]) => void) & { [kHandler]?: Handler; [kIsAttribute]?: boolean }

/** What the events are made of besides the arguments of the listener. */
interface Target extends Pick<EventEmitter, 'listeners'> {
  readonly wasClean: boolean
  on(event: string, listener: Wrapper): unknown
  once(event: string, listener: Wrapper): unknown
  removeListener(event: string, listener: Wrapper): unknown
}

const MAKERS: Record<string, (target: Target, ...args: never[]) => SocketEvent<Target>> = {
  open: target => new SocketEvent('open', target),
  message: (target, data: Buffer, isBinary: boolean) => new MessageEvent(target, isBinary ? data : data.toString()),
  error: (target, error: Error) => new ErrorEvent(target, error),
  close: (target, code: number, reason: Buffer) => new CloseEvent(target, code, reason.toString(), target.wasClean)
}

/** Events of other types have no such listeners. */
export function addHandler(target: Target, type: string, handler: Handler, once: boolean, isAttribute = false): void {
  if (!Object.hasOwn(MAKERS, type)) return
  if (!isAttribute && find(target, type, handler, false) !== undefined) return
  const make = MAKERS[type] as (target: Target, ...args: unknown[]) => SocketEvent<Target>
  const wrapper: Wrapper = (...args: unknown[]) => call(handler, target, make(target, ...args))
  wrapper[kHandler] = handler
  wrapper[kIsAttribute] = isAttribute
  if (once) target.once(type, wrapper)
  else target.on(type, wrapper)
}

export function removeHandler(target: Target, type: string, handler: Handler): void {
  const wrapper = find(target, type, handler, false)
  if (wrapper !== undefined) target.removeListener(type, wrapper)
}

/** What `onopen` and its like were set to; null for nothing. */
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
