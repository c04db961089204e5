// Tells which chunks of a stream are ours alone: those that Node allocated for one socket. They are unmasked in place; others are copied.

import type { NodeDuplex as Duplex } from '../streams.js'
import { isSocket } from './wire.js'

/* c8 ignore next 2 - a browser has neither process nor sockets */
const emit = globalThis.process?.getBuiltinModule?.('node:events')?.prototype.emit
const push = globalThis.process?.getBuiltinModule?.('node:stream')?.Readable.prototype.push

/**
 * Whether Node allocates the chunks of a stream, and only its listeners get them. A tool that has wrapped `emit` or `push` may keep what it
 * sees. The chunks of an HTTP/2 stream belong to its session.
 */
export function makesChunks(stream: Duplex): boolean {
  return stream.emit === emit && stream.push === push && isSocket(stream)
}

/** Whether a listener for this event gets the chunks of a stream: one for 'readable' gets them from `read`. */
export function isReading(event: string | symbol): boolean {
  return event === 'data' || event === 'readable'
}

/** How many bytes a socket has read from the kernel; over TLS, how many it has decrypted. */
function bytesRead(stream: Duplex): number {
  return (stream as Duplex & { bytesRead?: number }).bytesRead ?? 0
}

/**
 * Tells which chunks of a stream are ours alone, by counting them: what the socket has read is either taken or still in its buffer. If the
 * sum differs, other code has put bytes into the stream, and owns them.
 */
export class ChunkReader {
  // bytes taken, counted like `bytesRead`; those before `ownFrom` were read before we listened, and others may keep their memory
  private position = 0
  private ownFrom = 0
  /** Whether others read the stream, or have read it: a listener may remove itself while it is called. */
  protected isShared = false

  /** @param listeners - how many listeners for 'data' are our own */
  protected beginsReading(stream: Duplex, listeners: number): void {
    this.ownFrom = bytesRead(stream)
    this.position = this.ownFrom - stream.readableLength
    this.isShared = stream.listenerCount('data') !== listeners || stream.listenerCount('readable') !== 0
  }

  /** Counts a chunk that was read from the stream; returns whether nothing else uses its memory. */
  protected takes(stream: Duplex, { length }: Buffer): boolean {
    const isForeign = this.position < this.ownFrom
    this.position += length
    if (isForeign || this.isShared || !makesChunks(stream)) return false
    return this.position + stream.readableLength === bytesRead(stream)
  }
}
