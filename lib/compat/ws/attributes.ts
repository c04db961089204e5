// What a class written in TypeScript does not say of a WebSocket: the attributes of the WHATWG's interface, which of its members are enumerable, its
// constants, and underscored members of `ws` that programs read.

import { attribute, setAttribute, type Target } from './event-target.js'

/** The states, by their numbers. */
export const NAMES = ['CONNECTING', 'OPEN', 'CLOSING', 'CLOSED'] as const

const MEMBERS = ['binaryType', 'bufferedAmount', 'extensions', 'isPaused', 'protocol', 'readyState', 'url']

interface Socket extends Target {
  readonly protocol: string
  readonly readyState: number
  readonly url: string | undefined
}

/** Puts them on the class and its prototype. */
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
  // as the WHATWG's interfaces have them
  for (const name of MEMBERS) Object.defineProperty(prototype, name, { enumerable: true })
  for (const [value, name] of NAMES.entries()) {
    for (const place of [Class, prototype]) Object.defineProperty(place, name, { enumerable: true, value })
  }
  addGetter(prototype, '_isServer', socket => socket.url === undefined)
  addGetter(prototype, '_protocol', socket => socket.protocol)
  addGetter(prototype, '_readyState', socket => socket.readyState)
}

/** What a program writes to it, as @fastify/websocket does, is there for the program only. */
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
