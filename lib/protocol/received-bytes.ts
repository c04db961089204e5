// Turns the payload of a received frame into bytes that belong to the application: it may change them, keep them and transfer their memory
// without affecting another message or connection.

import { WebSocketError } from '../errors.js'
import { Buffer, freeMemory } from '../runtime/node.js'
import { bytesFreed, paceCollector } from './collector-pace.js'
import type { Frame } from './frame.js'
import { applyMask } from './mask.js'
import { memorySize, SMALL_UP_TO, shareChunk, smallBytes } from './small-payload.js'

/** Memory for data of the peer. @throws WebSocketError if there is not enough, which ends that connection and not the process */
export function allocate(size: number): Buffer {
  try {
    const bytes = Buffer.allocUnsafeSlow(size)
    paceCollector(size)
    return bytes
  } catch (cause) {
    throw new WebSocketError('WS_ERR_MESSAGE_TOO_LARGE', {
      detail: `no memory for ${size} bytes`,
      fault: 'local',
      cause
    })
  }
}

/** A payload may keep alive memory of this many times its size. */
const KEEPS_UP_TO = 64
/** Maximum size of a frame header (RFC 6455 §5.2). */
export const HEADER_UP_TO = 14
/** Smaller memory is not freed by hand: that takes about as long as collecting it. */
const FREED_FROM = 4096

/**
 * The payload of a whole frame or of a part, unmasked. It is a view of its chunk if that memory is ours alone; if the chunk contains other
 * payloads too, its memory can no longer be transferred.
 * @throws WebSocketError if the memory has been transferred nevertheless
 */
export function readBinary(frame: Frame): Buffer {
  const { size, start } = frame
  const data = frame.data as Buffer
  if (start + size > data.length) throw new WebSocketError('WS_ERR_MEMORY_TRANSFERRED')
  // a small payload must not keep its chunk alive
  if (size < SMALL_UP_TO || size * KEEPS_UP_TO < memorySize(data)) return smallBytes(frame)
  if (frame.owner !== 'us' || (!isAlone(frame) && !shareChunk(data))) {
    const bytes = Buffer.allocUnsafeSlow(size)
    frame.copy(bytes, 0)
    return bytes
  }
  if (frame.mask !== 0) applyMask(data, start, start + size, data, start, frame.mask)
  return data.subarray(start, start + size)
}

/** Whether the chunk contains only this payload, after no more bytes than a header, which have been read. */
function isAlone({ size, start, data }: Frame): boolean {
  const chunk = data as Buffer
  return start <= HEADER_UP_TO && start + size === chunk.length && chunk.length === memorySize(chunk)
}

/**
 * Frees the memory of a payload that was copied or decoded, if it is ours alone, instead of leaving that to the collector. The next chunk
 * is then read to memory that is still in the processor's caches (benchmarks/questions/echo.js, 64 KiB and 1 MiB).
 */
export function release(frame: Frame): void {
  if (frame.owner === 'us' && frame.size >= FREED_FROM && isAlone(frame)) free(frame.data as Buffer)
}

/** Frees memory from `allocate`, or of a chunk, that nothing uses any more. */
export function free(bytes: Buffer): void {
  const { buffer } = bytes
  const size = buffer.byteLength
  if (size >= FREED_FROM && freeMemory(buffer)) bytesFreed(size)
}
