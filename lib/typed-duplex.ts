// The type that WebSocketStream extends.

import type { TypedEmitter } from './events.js'
import type { LazyMembers, NodeDuplex } from './streams.js'

/** A Duplex with its own events typed. */
export interface TypedDuplex extends Omit<NodeDuplex, Replaced>, TypedEmitter, LazyMembers {
  destroy(error?: Error): this
  pipe<T extends NodeJS.WritableStream>(destination: T, options?: { end?: boolean | undefined }): T
  write(chunk: unknown, callback?: (error?: Error | null) => void): boolean
  write(chunk: unknown, encoding?: BufferEncoding, callback?: (error?: Error | null) => void): boolean
  // these methods must return `this`: with the return type Duplex, `socket.pipe(ws).pipe(socket)` would not compile
  end(callback?: () => void): this
  end(chunk: unknown, callback?: () => void): this
  end(chunk: unknown, encoding?: BufferEncoding, callback?: () => void): this
  pause(): this
  resume(): this
  setEncoding(encoding: BufferEncoding): this
  setDefaultEncoding(encoding: BufferEncoding): this
  unpipe(destination?: NodeJS.WritableStream): this
  removeAllListeners(event?: string | symbol): this
  setMaxListeners(count: number): this
  _write(chunk: Buffer, encoding: string, callback: (error?: Error | null) => void): void
  _final(callback: () => void): void
  _read(size: number): void
  _destroy(error: Error | null, callback: (error?: Error | null) => void): void
  [Symbol.asyncIterator](): NodeJS.AsyncIterator<Buffer>
}

type Replaced =
  | 'destroy'
  | 'pipe'
  | 'write'
  | 'end'
  | 'pause'
  | 'resume'
  | 'setEncoding'
  | 'setDefaultEncoding'
  | 'unpipe'
  | 'removeAllListeners'
  | 'setMaxListeners'
  | '_write'
  | '_final'
  | '_read'
  | '_destroy'
  | typeof Symbol.asyncDispose
  | typeof Symbol.asyncIterator
  | keyof TypedEmitter
