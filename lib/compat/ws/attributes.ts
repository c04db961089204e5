// Adds to the WebSocket class what TypeScript cannot express: event handler attributes, enumerable members and constants of the WHATWG
// interface, and underscored members of `ws` that programs read.

import { attribute, setAttribute, type Target } from './event-target.js'

/** The names of the states, by number. */
export const NAMES = ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED'] as const

const MEMBERS = ['binaryType', 'bufferedAmount', 'extensions', 'isPaused', 'protocol', 'readyState', 'url']

interface Socket extends Target {
  readonly protocol: string
  readonly readyState: number
  readonly url: string | undefined
}

/** Adds them to the class and its prototype. */
export function addAttributes(Class: { readonly prototype: Socket }): void {
  const { prototype } = Class
  for (const type of ['open', 'message', 'error', 'close']) {
    Object.defineProperty(prototype, `on${type}`, {
      enumerable: true,
      configurable: true,
      get(this: Socket) {
        return attribute(this, type)
      },
      set(this: Socket, listener: unknown) {
        setAttribute(this, type, listener)
      }
    })
  }
  // as in the interfaces of the WHATWG
  for (const name of MEMBERS) Object.defineProperty(prototype, name, { enumerable: true })
  for (const [value, name] of NAMES.entries()) {
    for (const place of [Class, prototype]) Object.defineProperty(place, name, { enumerable: true, value })
  }
  addGetter(prototype, '_isServer', socket => socket.url === undefined)
  addGetter(prototype, '_protocol', socket => socket.protocol)
  addGetter(prototype, '_readyState', socket => socket.readyState)
}

/** Assigning a value, as @fastify/websocket does, replaces the getter on that object only. */
function addGetter(prototype: Socket, name: string, read: (socket: Socket) => unknown): void {
  Object.defineProperty(prototype, name, {
    configurable: true,
    get(this: Socket) {
      return read(this)
    },
    set(this: Socket, value: unknown) {
      Object.defineProperty(this, name, { configurable: true, writable: true, value })
    }
  })
}
