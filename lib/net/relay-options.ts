// The options of `relay` come in, checked settings come out. Those of the connection to the target are checked when it is dialled.

import { checkOptions, unknownOption } from '../checks.js'
import { checkField } from '../handshake/fields.js'
import type { HeaderFields, UpgradeRequest } from '../options.js'
import type { Message } from '../protocol/message-joiner.js'
import type { Sendable } from '../protocol/message-splitter.js'
import type { NodeDuplex } from '../streams.js'
import type { MessageKind } from '../views/message-stream.js'
import type { ConnectOptions } from './connect-options.js'

/** Which way a message goes. */
export type RelayDirection = 'fromClient' | 'fromTarget'

/** Where a relay leads: a URL, or a URL and options of `connect` that go before those in `RelayOptions.connect`. */
export type RelayTarget = string | URL | RelayTargetOptions

/** A URL, and options of its own. */
export interface RelayTargetOptions extends ConnectOptions {
  /** As for `connect`. */
  url: string | URL
}

/** Chooses the target for a request. What the request says is the client's word: `new URL(request.url, base)` may leave `base`. */
export type TargetChooser = (request: UpgradeRequest) => RelayTarget | PromiseLike<RelayTarget>

/** Looks at a whole message; what it gives, or promises, goes on in its place: `undefined` the message itself, `null` nothing. */
export type MessageHook = (
  message: Message,
  direction: RelayDirection
) => Sendable | null | undefined | void | PromiseLike<Sendable | null | undefined | void>

/** Makes what one message passes through, bytes or text in and out; `null` lets it pass as it is. */
export type MessageTransform = (kind: MessageKind) => NodeDuplex | null

/** How a relay works. An unknown name or a wrong type is a TypeError; `undefined` means the default. */
export interface RelayOptions {
  /**
   * Of the connection to the target. `protocols` and `extensions` are what the client offers, unless they are given here; then each side
   * has its own, those with the client being of the options of its WebSocketStream. Sizes have no limit unless one is given here or a
   * whole message is held (`onMessage`): nothing else is held whole.
   */
  connect?: ConnectOptions | undefined
  /**
   * Header fields of the client's request that the target is sent: names, or a function that gives fields. Names of fields that
   * `Connection` lists are passed over (RFC 9110 §7.6.1). Default: none; not `Cookie`, `Authorization`, `Origin` or `Host` either.
   */
  forwardHeaders?: readonly string[] | ((request: UpgradeRequest) => HeaderFields) | undefined
  /**
   * Tells the target who asked, for what host and how: `X-Forwarded-For`, `-Host` and `-Proto`, or `Forwarded` (RFC 7239). What the
   * client itself says in these fields is dropped, unless `forwardHeaders` names them: then our word is put behind it. Default: no.
   */
  forwarded?: 'x-forwarded' | 'rfc7239' | undefined
  /**
   * Whether path and query are the request's, byte for byte, with those of the target's URL left out. Nothing is resolved or escaped on
   * the way: what is checked in `request.url` is what the target is asked for, `..`, `%2e%2e` and backslashes included. Default: false.
   */
  forwardPath?: boolean | undefined
  /**
   * Names of header fields that the client is sent of the answer with which the target opens the connection. An answer that refuses
   * goes on with all of its fields, but those that end at a relay (RFC 9110 §7.6.1) and `Set-Cookie`, unless that is named here.
   * Default: none.
   */
  returnHeaders?: readonly string[] | undefined
  /** Whether the client is told the status, fields and body (64 KiB at most) with which the target refuses; else 502. Default: true. */
  returnRefusals?: boolean | undefined
  /** `'relay'`: pings go to the other side, whose pongs come back. `'answer'`: each side's are answered here. Default: `'relay'`. */
  pings?: 'relay' | 'answer' | undefined
  /**
   * Is shown each message whole, one at a time in each direction, within `maxMessageSize` of either connection. Then each side has its
   * own extensions, none with the target unless `connect` has some. What it throws ends both connections with 1011.
   */
  onMessage?: MessageHook | undefined
  /**
   * Makes a Duplex for each message of a direction that its content passes through as it arrives. As for extensions and errors, like
   * `onMessage`, with which it cannot be combined.
   */
  transform?: MessageTransforms | undefined
}

/** What the messages of each direction pass through. */
export interface MessageTransforms {
  /** Those of the client. */
  readonly fromClient?: MessageTransform | undefined
  /** Those of the target. */
  readonly fromTarget?: MessageTransform | undefined
}

export interface RelaySettings {
  readonly connect: ConnectOptions
  readonly forwardHeaders: readonly string[] | ((request: UpgradeRequest) => HeaderFields)
  readonly forwarded: 'x-forwarded' | 'rfc7239' | undefined
  readonly forwardPath: boolean
  readonly returnHeaders: readonly string[]
  readonly returnRefusals: boolean
  readonly pings: 'relay' | 'answer'
  readonly onMessage: MessageHook | undefined
  readonly transform: { readonly [D in RelayDirection]?: MessageTransform | undefined } | undefined
}

const DEFAULTS: RelaySettings = {
  connect: {},
  forwardHeaders: [],
  forwarded: undefined,
  forwardPath: false,
  returnHeaders: [],
  returnRefusals: true,
  pings: 'relay',
  onMessage: undefined,
  transform: undefined
}

const READERS: { readonly [K in keyof RelaySettings]: (value: unknown, name: string) => unknown } = {
  connect: readObject,
  forwardHeaders: value => (typeof value === 'function' ? value : readNames(value, 'forwardHeaders')),
  forwarded: oneOf('x-forwarded', 'rfc7239'),
  forwardPath: readBoolean,
  returnHeaders: value => readNames(value, 'returnHeaders'),
  returnRefusals: readBoolean,
  pings: oneOf('relay', 'answer'),
  onMessage: readFunction,
  transform: readTransform
}

/** @throws TypeError where an option is wrong */
export function readRelayOptions(options: RelayOptions = {}): RelaySettings {
  const settings: Record<string, unknown> = { ...DEFAULTS }
  for (const [name, value] of Object.entries(checkOptions(options))) {
    if (!Object.hasOwn(READERS, name)) throw unknownOption(name, Object.keys(READERS))
    if (value !== undefined) settings[name] = READERS[name as keyof RelaySettings](value, name)
  }
  if (settings['onMessage'] !== undefined && settings['transform'] !== undefined) {
    throw new TypeError('onMessage and transform cannot be combined')
  }
  return settings as unknown as RelaySettings
}

/** @throws TypeError where it is no target; whether its URL is one, shows when it is dialled */
export function readTarget(target: unknown): RelayTarget | TargetChooser {
  const isObject = typeof target === 'object' && target !== null && 'url' in target
  if (typeof target !== 'string' && typeof target !== 'function' && !(target instanceof URL) && !isObject) {
    throw new TypeError('target must be a URL, an object with a url, or a function')
  }
  return target as RelayTarget | TargetChooser
}

function readObject(value: unknown, name: string): object {
  if (typeof value !== 'object' || value === null) throw new TypeError(`${name} must be an object`)
  return value
}

function readFunction(value: unknown, name: string): unknown {
  if (typeof value !== 'function') throw new TypeError(`${name} must be a function`)
  return value
}

function readBoolean(value: unknown, name: string): boolean {
  if (typeof value !== 'boolean') throw new TypeError(`${name} must be a boolean`)
  return value
}

function oneOf(...values: readonly string[]): (value: unknown, name: string) => unknown {
  return (value, name) => {
    if (!values.includes(value as string)) throw new TypeError(`${name} must be one of: ${values.join(', ')}`)
    return value
  }
}

function readNames(value: unknown, name: string): readonly string[] {
  if (!Array.isArray(value)) throw new TypeError(`${name} must be an array of names`)
  for (const field of value) checkField(field, '')
  return value.map((field: string) => field.toLowerCase())
}

function readTransform(value: unknown): unknown {
  for (const [name, make] of Object.entries(readObject(value, 'transform'))) {
    if (name !== 'fromClient' && name !== 'fromTarget') throw new TypeError(`unknown option 'transform.${name}'`)
    if (make !== undefined) readFunction(make, `transform.${name}`)
  }
  return { ...(value as object) }
}
