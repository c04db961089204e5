// Marks the streams that are the wire of a connection, so that no second connection writes to them.

import type { NodeDuplex as Duplex } from '../streams.js'
import { checkGivesBytes } from './wire.js'

/** The properties of a stream that hold the wire of its connection: kAttached by `attach`, kPiped if it is piped in and out. */
export const kAttached = Symbol('attached wire')
export const kPiped = Symbol('piped wire')

/** Whether a stream is piped into a WebSocketStream, or the other way round. */
export type PipeSide = 'source' | 'destination'

/** A piped wire, as its streams know it. */
export interface PipeOwner {
  /** Whether the stream is piped in and out, and may still be written to. */
  joins(stream: object): boolean
}

/** A stream that may be the wire of a connection. */
export interface MaybeTaken {
  [kAttached]?: object | undefined
  [kPiped]?: PipeOwner | undefined
}

/** @throws TypeError if the stream is the wire of another connection: frames of both would be mixed */
export function checkFree(stream: MaybeTaken, wire: object): void {
  const { [kAttached]: attached, [kPiped]: piped } = stream
  if (attached !== undefined || (piped !== undefined && piped !== wire && piped.joins(stream))) {
    throw new TypeError('this stream already belongs to a connection')
  }
}

/**
 * Checks a stream that is piped into a WebSocketStream (`ws`) or out of it; if it cannot be, it is not piped in either. A stream that is
 * the wire of another connection may be read by this one too, but not written to.
 * @param isWritten - whether `ws` is piped into the stream, or is to be
 * @throws TypeError if it gives strings, or both connections would write to it
 */
export function checkPipe(side: PipeSide, stream: Duplex, ws: Duplex, isWritten: boolean, wire: object): void {
  try {
    if (side === 'source') checkGivesBytes(stream)
    if (isWritten) checkFree(stream as MaybeTaken, wire)
  } catch (error) {
    const isFlowing = stream.readableFlowing
    stream.unpipe?.(ws)
    // unpipe() pauses a stream without other pipes, but the other connection may have attached it
    if (isFlowing) stream.resume()
    throw error
  }
}
