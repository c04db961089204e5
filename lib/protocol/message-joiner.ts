// Joins data frames into whole messages: a string for text, a Buffer for binary (RFC 6455 §5.4, §5.6). Buffers one message, within the
// limits, and checks text as it arrives.

import { WebSocketError } from '../errors.js'
import { Buffer, isAscii, isUtf8, MAX_LENGTH, MAX_STRING_LENGTH } from '../runtime/node.js'
import { FragmentRules, type MessageLimits, tooLarge, unexpectedContinuation } from './fragment-rules.js'
import type { Frame } from './frame.js'
import { Opcode } from './opcode.js'
import { allocate, free, readBinary, release } from './received-bytes.js'
import { copyBytes, SMALL_UP_TO, smallText, smallTextBytes } from './small-payload.js'
import { TextBytes } from './text-bytes.js'
import { checkUtf8 } from './utf8.js'

/** A message as the application gets it: text as a string, binary as a Buffer. */
export type Message = string | Buffer

/** A message; with `textAs: 'bytes'` text is a TextBytes. */
export type ReceivedMessage = Message | TextBytes

/**
 * Memory for a message may be this many times what has arrived of it, if its frame announces more: 64 KiB, which a socket reads at once,
 * suffice to allocate 1 MiB (benchmarks/questions/echo.js).
 */
const ROOM_AHEAD = 32

const EMPTY = Buffer.alloc(0)

/** The maximum sizes of a Buffer and a string, which no option can raise. */
const CAPACITY: Capacity = { bytes: MAX_LENGTH, characters: MAX_STRING_LENGTH }
/** Maximum bytes of UTF-8 for one UTF-16 code unit of a string. */
const BYTES_PER_UNIT = 3

interface Capacity {
  readonly bytes: number
  readonly characters: number
}

/** @typeParam T - the type of the messages: ReceivedMessage with `textAs: 'bytes'` */
export class MessageJoiner<T extends ReceivedMessage = Message> {
  private progress: GatheredMessage | null = null
  private rules: FragmentRules | null = null

  /** @param capacity - the maximum sizes of messages in this process */
  constructor(
    private readonly limits: MessageLimits,
    private readonly capacity = CAPACITY
  ) {}

  /**
   * Adds a data frame, or a part of one; returns the message if the frame ends it, otherwise null.
   * @throws WebSocketError if the frame is not allowed here, or the message exceeds a limit or is not UTF-8
   */
  add(frame: Frame): T | null {
    const whole = this.progress === null ? readWhole(frame, this.limits) : null
    if (whole !== null) return whole as T
    this.rules ??= new FragmentRules(this.limits)
    const isLast = this.rules.add(frame)
    this.progress ??= new GatheredMessage(frame.opcode === Opcode.Text, this.limits.textAs === 'bytes', this.capacity)
    const message = this.progress
    message.append(frame)
    if (!isLast) return null
    this.progress = null
    return message.finish() as T
  }
}

/**
 * The message that is this frame; null if the frame is a part of a message. Call it only between messages.
 * @throws WebSocketError like `MessageJoiner.add`
 */
export function readWhole(frame: Frame, { maxMessageSize, textAs }: MessageLimits): ReceivedMessage | null {
  if (typeof frame.data === 'string') frame.encode()
  if (!frame.fin || !frame.first || frame.size !== frame.length) return null
  if (frame.opcode === Opcode.Continuation) throw unexpectedContinuation() // RFC 6455 §5.4
  if (frame.length > maxMessageSize) throw tooLarge(frame.length, maxMessageSize)
  if (frame.opcode !== Opcode.Text) return readBinary(frame)
  return textAs === 'bytes' ? readTextBytes(frame) : readText(frame)
}

/** A message of which some parts have arrived, collected in one growing buffer. */
class GatheredMessage {
  private used = 0
  private bytes: Buffer = EMPTY
  private checked = 0
  private ascii = true

  constructor(
    private readonly text: boolean,
    private readonly asBytes: boolean,
    private readonly capacity: Capacity
  ) {}

  append(frame: Frame): void {
    const { size } = frame
    const announced = this.used + frame.length - frame.offset
    if (announced > this.capacity.bytes) throw tooLarge(announced, this.capacity.bytes)
    if (size === 0) return
    const end = this.used + size
    if (end > this.bytes.length) this.grow(end, announced, frame.fin)
    frame.copy(this.bytes, this.used)
    release(frame)
    if (this.text) this.check(this.used, end)
    this.used = end
  }

  finish(): ReceivedMessage {
    const { bytes, used } = this
    if (!this.text) return this.takeBytes()
    if (this.checked < used) throw new WebSocketError('WS_ERR_INVALID_UTF8') // ends inside a character: §8.1
    if (this.asBytes) return new TextBytes(this.takeBytes(), true)
    const text = toText(bytes, 0, used, this.ascii)
    free(bytes)
    return text
  }

  // copied if a quarter of the buffer is empty, which the application would keep alive
  private takeBytes(): Buffer {
    const { bytes, used } = this
    if (used > bytes.length * 0.75) return bytes.subarray(0, used)
    const copy = copyBytes(bytes.subarray(0, used))
    free(bytes)
    return copy
  }

  /**
   * @param announced - bytes needed when the current frame is complete; less than `needed` if that is not known
   * @param isLast - whether that frame is the last one
   */
  private grow(needed: number, announced: number, isLast: boolean): void {
    const ahead = needed * ROOM_AHEAD
    // exact size: one byte more than announced would cost a second copy at the end (benchmarks/questions/echo.js, 1 MiB)
    const isExact = isLast && announced >= needed && announced <= ahead
    const room = isExact ? announced : Math.max(needed, this.bytes.length * 2, Math.min(announced, ahead))
    const bytes = allocate(Math.min(room, Math.max(needed, this.capacity.bytes)))
    this.bytes.copy(bytes, 0, 0, this.used)
    free(this.bytes)
    this.bytes = bytes
  }

  // RFC 6455 §8.1: fails at the first invalid byte
  private check(from: number, end: number): void {
    if (this.ascii && isAscii(this.bytes.subarray(from, end))) {
      this.checked = end
      if (end > this.capacity.characters && !this.asBytes) throw tooLarge(end, this.capacity.characters)
      return
    }
    this.ascii = false
    const most = this.capacity.characters * BYTES_PER_UNIT
    if (end > most && !this.asBytes) throw tooLarge(end, most)
    this.checked = checkUtf8(this.bytes, this.checked, end)
    if (this.checked < 0) throw new WebSocketError('WS_ERR_INVALID_UTF8')
  }
}

function readText(frame: Frame): string {
  const text = frame.size < SMALL_UP_TO ? smallText(frame) : largeText(frame)
  if (text === null) throw new WebSocketError('WS_ERR_INVALID_UTF8') // RFC 6455 §8.1
  return text
}

/** A text payload of SMALL_UP_TO bytes and more as a string; null if it is not UTF-8. */
function largeText(frame: Frame): string | null {
  const bytes = readBinary(frame)
  const ascii = isAscii(bytes)
  if (!ascii && !isUtf8(bytes)) return null
  const text = toText(bytes, 0, bytes.length, ascii)
  release(frame)
  return text
}

function readTextBytes(frame: Frame): TextBytes {
  let bytes: Buffer | null
  if (frame.size < SMALL_UP_TO) {
    bytes = smallTextBytes(frame)
  } else {
    bytes = readBinary(frame)
    if (!isUtf8(bytes)) bytes = null
  }
  if (bytes === null) throw new WebSocketError('WS_ERR_INVALID_UTF8') // RFC 6455 §8.1
  return new TextBytes(bytes, true)
}

function toText(bytes: Buffer, start: number, end: number, ascii: boolean): string {
  try {
    return ascii ? bytes.latin1Slice(start, end) : bytes.utf8Slice(start, end)
  } catch (cause) {
    throw new WebSocketError('WS_ERR_MESSAGE_TOO_LARGE', { detail: 'longer than any string', cause })
  }
}
