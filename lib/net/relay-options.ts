// Reads the options of `relay`. Those of the connection to the target are checked when it is dialled.

import { checkBoolean, checkFunction, checkOptions, unknownOption } from '../checks.js'
import { checkField } from '../handshake/fields.js'
import type { HeaderFields, UpgradeRequest } from '../options.js'
import type { Message } from '../protocol/message-joiner.js'
import type { Sendable } from '../protocol/message-splitter.js'
import type { NodeDuplex } from '../streams.js'
import type { MessageKind } from '../views/message-stream.js'
import type { ConnectOptions } from './connect-options.js'

/** The direction of a message. */
export type RelayDirection = 'fromClient' | 'fromTarget'

/** The target of a relay: a URL, or a URL with options of `connect`, which take precedence over `RelayOptions.connect`. */
export type RelayTarget = string | URL | RelayTargetOptions

/** A URL with options of its own. */
export interface RelayTargetOptions extends ConnectOptions {
  /** As for `connect`. */
  url: string | URL
}

/** Chooses the target for a request. The request is untrusted: `new URL(request.url, base)` may lead to a host other than `base`. */
export type TargetChooser = (request: UpgradeRequest) => RelayTarget | PromiseLike<RelayTarget>

/**
 * Inspects a whole message. Returns, or resolves with, what is passed on: another message, `undefined` for the message itself, `null` for
 * none.
 */
export type MessageHook = (
  message: Message,
  direction: RelayDirection
) => Sendable | null | undefined | void | PromiseLike<Sendable | null | undefined | void>

/** Makes the Duplex that one message passes through, with bytes or text in and out; `null` passes the message unchanged. */
export type MessageTransform = (kind: MessageKind) => NodeDuplex | null

/** The options of a relay. An unknown name or a wrong type is a TypeError; `undefined` means the default. */
export interface RelayOptions {
  /**
   * Options of the connection to the target. By default `protocols` and `extensions` are what the client offers; if they are given here,
   * each side negotiates its own, the client's side with the options of its WebSocketStream. Sizes are unlimited unless a limit is given
   * here or whole messages are buffered (`onMessage`).
   */
  connect?: ConnectOptions | undefined
  /**
   * Header fields of the client's request to send to the target: names, or a function that returns fields. Names listed in `Connection` are
   * ignored (RFC 9110 §7.6.1). Default: none; not even `Cookie`, `Authorization`, `Origin` or `Host`.
   */
  forwardHeaders?: readonly string[] | ((request: UpgradeRequest) => HeaderFields) | undefined
  /**
   * Tells the target the client's address, host and scheme: `X-Forwarded-For`, `-Host` and `-Proto`, or `Forwarded` (RFC 7239). The
   * client's own values of these fields are dropped, unless `forwardHeaders` names them: then ours are appended to `X-Forwarded-For` and
   * `Forwarded`, and the client's `-Host` and `-Proto` are kept. Default: not sent.
   */
  forwarded?: 'x-forwarded' | 'rfc7239' | undefined
  /**
   * Whether to request the path and query of the client's request, byte for byte, instead of those of the target's URL. Nothing is resolved
   * or escaped: the target gets exactly the `request.url` that the application has checked, including `..`, `%2e%2e` and backslashes.
   * Default: false.
   */
  forwardPath?: boolean | undefined
  /**
   * Names of header fields of the target's 101 response to return to the client. A refusal is returned with all its fields except
   * hop-by-hop fields (RFC 9110 §7.6.1) and `Set-Cookie`, unless that is named here. Default: none.
   */
  returnHeaders?: readonly string[] | undefined
  /** Whether the client gets the status, fields and body (at most 64 KiB) of a refusal by the target; otherwise 502. Default: true. */
  returnRefusals?: boolean | undefined
  /** `'relay'` passes Pings to the other side, and its Pongs back; `'answer'` answers the Pings of each side here. Default: `'relay'`. */
  pings?: 'relay' | 'answer' | undefined
  /**
   * Gets each whole message, one at a time in each direction, within `maxMessageSize` of either connection. Then each side has its own
   * extensions; the target's side has none unless `connect` has some. If it throws, both connections end with 1011, and `relay.closed` has
   * the exception.
   */
  onMessage?: MessageHook | undefined
  /**
   * Makes a Duplex for each message of a direction, which the content passes through as it arrives. Extensions and errors are handled as
   * with `onMessage`, with which it cannot be combined.
   */
  transform?: MessageTransforms | undefined
}

/** Transforms for the messages of each direction. */
export interface MessageTransforms {
  /** For messages of the client. */
  readonly fromClient?: MessageTransform | undefined
  /** For messages of the target. */
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
  forwardPath: checkBoolean,
  returnHeaders: value => readNames(value, 'returnHeaders'),
  returnRefusals: checkBoolean,
  pings: oneOf('relay', 'answer'),
  onMessage: checkFunction,
  transform: readTransform
}

/** @throws TypeError if an option is invalid */
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

/** @throws TypeError if it is not a target; its URL is checked when it is dialled */
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
    if (make !== undefined) checkFunction(make, `transform.${name}`)
  }
  return { ...(value as object) }
}
