// Extensions by other authors, in the form of websocket-extensions: some that work, and some that misbehave.

import type {
  ClientExtensionSession,
  Extension,
  ExtensionCallback,
  ExtensionMessage,
  ExtensionParams,
  ServerExtensionSession
} from '../../lib/index.js'

export type Process = (message: ExtensionMessage, callback: ExtensionCallback) => void

export interface ToyOptions {
  /** The reserved bits that it sets on messages: 4, 2, 1. Default: none. */
  rsv?: number
  incoming?: Process
  outgoing?: Process
  close?: () => void
  offer?: () => ReturnType<ClientExtensionSession['generateOffer']>
  activate?: (params: ExtensionParams) => boolean
  /** Declines some offers. Default: accepts all. */
  accept?: (offers: ExtensionParams[]) => boolean
  response?: () => ExtensionParams
}

/** An extension, and a record of its sessions. */
export interface Toy extends Extension {
  readonly seen: { opened: number; closed: number; offers: ExtensionParams[][]; answers: ExtensionParams[] }
}

const pass: Process = (message, callback) => callback(null, message)

/** An extension that does what `options` say, and nothing else. */
export function toy(name: string, options: ToyOptions = {}): Toy {
  const { rsv = 0, incoming = pass, outgoing = pass, accept = () => true } = options
  const seen: Toy['seen'] = { opened: 0, closed: 0, offers: [], answers: [] }
  const session = (): ClientExtensionSession & ServerExtensionSession => {
    seen.opened++
    return {
      generateOffer: options.offer ?? (() => ({})),
      activate(params) {
        seen.answers.push(params)
        return options.activate?.(params) ?? true
      },
      generateResponse: options.response ?? (() => ({})),
      processIncomingMessage: incoming,
      processOutgoingMessage: outgoing,
      close() {
        seen.closed++
        options.close?.()
      }
    }
  }
  return {
    name,
    type: 'permessage',
    rsv1: (rsv & 4) !== 0,
    rsv2: (rsv & 2) !== 0,
    rsv3: (rsv & 1) !== 0,
    seen,
    createClientSession: session,
    createServerSession(offers) {
      seen.offers.push(offers)
      return accept(offers) ? session() : null
    }
  }
}

/** Reverses messages byte by byte, and marks them with RSV2. */
export function reverse(later: (run: () => void) => void = run => run()): Toy {
  return toy('reverse', {
    rsv: 2,
    outgoing(message, callback) {
      const data = Buffer.from(message.data).reverse()
      later(() => callback(null, { ...message, data, rsv2: true }))
    },
    incoming(message, callback) {
      const data = message.rsv2 ? Buffer.from(message.data).reverse() : message.data
      later(() => callback(null, { ...message, data, rsv2: false }))
    }
  })
}

/** Inverts every bit of a message, in place, and marks it with RSV3. */
export function invert(later: (run: () => void) => void = run => run()): Toy {
  const turn = (bytes: Buffer): void => {
    for (let i = 0; i < bytes.length; i++) bytes[i] = ~bytes[i]!
  }
  return toy('invert', {
    rsv: 1,
    outgoing(message, callback) {
      turn(message.data)
      message.rsv3 = true
      later(() => callback(null, message))
    },
    incoming(message, callback) {
      if (message.rsv3) turn(message.data)
      message.rsv3 = false
      later(() => callback(null, message))
    }
  })
}

/** Doubles the first byte, and removes it again: the result shows the order of two extensions. */
export function doubling(name: string): Toy {
  return toy(name, {
    outgoing: (message, callback) =>
      callback(null, { ...message, data: Buffer.concat([Buffer.from(name), message.data]) }),
    incoming(message, callback) {
      const start = message.data.subarray(0, name.length).toString()
      if (start === name) callback(null, { ...message, data: message.data.subarray(name.length) })
      else callback(new Error(`${start} is not mine`))
    }
  })
}

/** Calls back after some turns of the event loop, a different number each time. */
export function unsteadily(): (run: () => void) => void {
  let count = 0
  return run => {
    count++
    const turn = (left: number): unknown => (left === 0 ? run() : setImmediate(turn, left - 1))
    turn((count * 7) % 5)
  }
}

/** Calls back after this many turns of the event loop. */
export function turnsLater(turns: number): (run: () => void) => void {
  return run => {
    const turn = (left: number): unknown => (left === 0 ? run() : setImmediate(turn, left - 1))
    turn(turns)
  }
}

/** What an extension may do wrong with a message; each must end its connection only. */
export const MISBEHAVIOUR: [what: string, process: Process][] = [
  [
    'throws',
    () => {
      throw new Error('oops')
    }
  ],
  [
    'throws a string',
    () => {
      throw 'oops'
    }
  ],
  [
    'throws nothing at all',
    () => {
      throw undefined
    }
  ],
  ['calls back with an error', (_message, callback) => callback(new Error('oops'))],
  ['calls back with an error later', (_message, callback) => setImmediate(callback, new Error('oops'))],
  ['calls back with a string for an error', (_message, callback) => callback('oops' as never)],
  ['calls back with a string for an error later', (_message, callback) => setImmediate(callback, 'oops' as never)],
  [
    'calls back with a frozen error later',
    (_message, callback) => setImmediate(callback, Object.freeze(new Error('oops')))
  ],
  ['calls back with nothing', (_message, callback) => callback(null)],
  ['calls back with nothing later', (_message, callback) => setImmediate(callback, null)],
  ['calls back with a number', (_message, callback) => callback(null, 5 as never)],
  ['calls back with null', (_message, callback) => callback(null, null as never)],
  ['calls back with an empty object', (_message, callback) => callback(null, {} as never)],
  ['calls back with text for bytes', (message, callback) => callback(null, { ...message, data: 'text' as never })],
  [
    'calls back with data that throws',
    (_message, callback) =>
      callback(null, {
        get data(): Buffer {
          throw new Error('oops')
        }
      } as never)
  ],
  ['never calls back', () => {}]
]
