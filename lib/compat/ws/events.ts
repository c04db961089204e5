// The events of a WebSocket and of a WebSocketServer, and EventEmitter's methods typed with them.

import type { EventEmitter } from 'node:events'
import type { ClientRequest, IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { CloseEvent, ErrorEvent, MessageEvent, SocketEvent } from './event-target.js'

/** A received message, in the form of `binaryType`. */
export type RawData = Buffer | ArrayBuffer | Buffer[]

/** The same, or a string for text, as in WHATWG events. */
export type Data = string | RawData

/** The events of a WebSocket. */
export interface SocketEvents {
  open: []
  message: [data: RawData, isBinary: boolean]
  ping: [data: Buffer]
  pong: [data: Buffer]
  close: [code: number, reason: Buffer]
  error: [error: Error]
  /** Client: the response to the request. */
  upgrade: [response: IncomingMessage]
  /** Client: the request after a redirect, before it is sent. */
  redirect: [url: string, request: ClientRequest]
  /** Client: a response that refuses. Without a listener an error is emitted. */
  'unexpected-response': [request: ClientRequest, response: IncomingMessage]
}

/** The events of a WebSocketServer. */
export interface ServerEvents<Socket, Request> {
  connection: [websocket: Socket, request: Request]
  /** The lines of the response, before it is sent; lines can be added. */
  headers: [headers: string[], request: Request]
  error: [error: Error]
  listening: []
  close: []
  /** An invalid request; a listener must answer it. */
  wsClientError: [error: Error, socket: Duplex, request: Request]
}

type Replaced = 'on' | 'once' | 'off' | 'addListener' | 'removeListener' | 'prependListener'

/** An EventEmitter whose methods know these events, and accept all others. */
export interface Emitter<Self, Events> extends Omit<EventEmitter, Replaced> {
  on<E extends keyof Events>(event: E, listener: (this: Self, ...args: Events[E] & any[]) => void): this
  on(event: string | symbol, listener: (this: Self, ...args: any[]) => void): this
  once<E extends keyof Events>(event: E, listener: (this: Self, ...args: Events[E] & any[]) => void): this
  once(event: string | symbol, listener: (this: Self, ...args: any[]) => void): this
  off<E extends keyof Events>(event: E, listener: (this: Self, ...args: Events[E] & any[]) => void): this
  off(event: string | symbol, listener: (this: Self, ...args: any[]) => void): this
  addListener<E extends keyof Events>(event: E, listener: (this: Self, ...args: Events[E] & any[]) => void): this
  addListener(event: string | symbol, listener: (this: Self, ...args: any[]) => void): this
  removeListener<E extends keyof Events>(event: E, listener: (this: Self, ...args: Events[E] & any[]) => void): this
  removeListener(event: string | symbol, listener: (this: Self, ...args: any[]) => void): this
  prependListener<E extends keyof Events>(event: E, listener: (this: Self, ...args: Events[E] & any[]) => void): this
  prependListener(event: string | symbol, listener: (this: Self, ...args: any[]) => void): this
}

/** The WHATWG's events of a WebSocket. */
export interface EventMap<Socket> {
  open: SocketEvent<Socket>
  message: MessageEvent<Socket>
  error: ErrorEvent<Socket>
  close: CloseEvent<Socket>
}

/** The type of `onopen` and the like. */
export type Attribute<Socket, E extends keyof EventMap<unknown>> = ((event: EventMap<Socket>[E]) => void) | null

/** The type of the listener of `addEventListener`. */
export type EventListenerOf<Socket, E extends keyof EventMap<unknown>> =
  | ((event: EventMap<Socket>[E]) => void)
  | { handleEvent(event: EventMap<Socket>[E]): void }
