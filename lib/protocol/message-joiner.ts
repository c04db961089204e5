// Data frames come in, whole messages go out: a string for text, a Buffer for binary (RFC 6455 §5.4, §5.6). Holds one message in
// progress, within the limits, and looks at text as it arrives.

import { WebSocketError } from '../errors.js'
import { Buffer, isAscii, isUtf8, MAX_LENGTH, MAX_STRING_LENGTH } from '../runtime/node.js'
import { FragmentRules, type MessageLimits, tooLarge, unexpectedContinuation } from './fragment-rules.js'
import type { Frame } from './frame.js'
import { Opcode } from './opcode.js'
import { allocate, readBinary } from './received-bytes.js'
import { copyBytes, SMALL_UP_TO, smallText, smallTextBytes } from './small-payload.js'
import { TextBytes } from './text-bytes.js'
import { checkUtf8 } from './utf8.js'

/** What the application sees: text as a string, binary as a Buffer. */
export type Message = string | Buffer

/** A message with its kind: with `textAs: 'bytes'` text comes as TextBytes. */
export type ReceivedMessage = Message | TextBytes

/**
 * A message in progress may take this many times the room of what has arrived of it, where its frame announces more: 64 KiB, which is
 * what a socket reads at once, are enough for the whole room of 1 MiB (benchmarks/questions/echo.js).
 */
const ROOM_AHEAD = 32

const EMPTY = Buffer.alloc(0)

/** What a Buffer and a string can hold, whatever the options say. */
const CAPACITY: Capacity = { bytes: MAX_LENGTH, characters: MAX_STRING_LENGTH }
/** Bytes of UTF-8 that one UTF-16 unit of a string stands for at most. */
const BYTES_PER_UNIT = 3

interface Capacity {
  readonly bytes: number
  readonly characters: number
}

/** @typeParam T - what comes out: with `textAs: 'bytes'` ReceivedMessage */
export class MessageJoiner<T extends ReceivedMessage = Message> {
  private progress: GatheredMessage | null = null
  private rules: FragmentRules | null = null

  /** @param capacity - what messages can hold at most, in this process */
  constructor(
    private readonly limits: MessageLimits,
    private readonly capacity = CAPACITY
  ) {}

  /**
   * Takes a data frame, or a part of one; answers the message that ends with it, or null.
   * @throws WebSocketError where the frame cannot stand here, or the message breaks a limit or is not UTF-8
   */
  add(frame: Frame): T | null {
    if (typeof frame.data === 'string') frame.encode()
    if (this.progress === null && frame.fin && frame.first && frame.size === frame.length) {
      if (frame.opcode === Opcode.Continuation) throw unexpectedContinuation() // §5.4
      if (frame.length > this.limits.maxMessageSize) throw tooLarge(frame.length)
      return this.read(frame) as T
    }
    this.rules ??= new FragmentRules(this.limits)
    const isLast = this.rules.add(frame)
    this.progress ??= new GatheredMessage(frame.opcode === Opcode.Text, this.limits.textAs === 'bytes', this.capacity)
    const message = this.progress
    message.append(frame)
    if (!isLast) return null
    this.progress = null
    return message.finish() as T
  }

  private read(frame: Frame): ReceivedMessage {
    if (frame.opcode !== Opcode.Text) return readBinary(frame)
    return this.limits.textAs === 'bytes' ? readTextBytes(frame) : readText(frame)
  }
}

/** A message of which some parts have arrived, gathered in one growing piece of memory. */
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
    if (announced > this.capacity.bytes) throw tooLarge(announced)
    if (size === 0) return
    const end = this.used + size
    if (end > this.bytes.length) this.grow(end, announced, frame.fin)
    frame.copy(this.bytes, this.used)
    if (this.text) this.check(this.used, end)
    this.used = end
  }

  finish(): ReceivedMessage {
    const { bytes, used } = this
    if (!this.text) return this.takeBytes()
    if (this.checked < used) throw new WebSocketError('WS_ERR_INVALID_UTF8') // ends inside a character: §8.1
    return this.asBytes ? new TextBytes(this.takeBytes(), true) : toText(bytes, 0, used, this.ascii)
  }

  // half-empty memory is not handed out to be kept, nor is a place in a pool, which may be as large
  private takeBytes(): Buffer {
    const { bytes, used } = this
    return used > bytes.length * 0.75 ? bytes.subarray(0, used) : copyBytes(bytes.subarray(0, used))
  }

  /**
   * @param announced - what is needed when the frame in progress has arrived whole; less than `needed` where that is not known
   * @param isLast - whether nothing comes behind that
   */
  private grow(needed: number, announced: number, isLast: boolean): void {
    const ahead = needed * ROOM_AHEAD
    // a byte more than announced would be a second copy at the end (benchmarks/questions/echo.js, 1 MiB)
    const isExact = isLast && announced >= needed && announced <= ahead
    const room = isExact ? announced : Math.max(needed, this.bytes.length * 2, Math.min(announced, ahead))
    const bytes = allocate(Math.min(room, Math.max(needed, this.capacity.bytes)))
    this.bytes.copy(bytes, 0, 0, this.used)
    this.bytes = bytes
  }

  // RFC 6455 §8.1, at the first byte that cannot be right
  private check(from: number, end: number): void {
    if (this.ascii && isAscii(this.bytes.subarray(from, end))) {
      this.checked = end
      if (end > this.capacity.characters && !this.asBytes) throw tooLarge(end)
      return
    }
    this.ascii = false
    if (end > this.capacity.characters * BYTES_PER_UNIT && !this.asBytes) throw tooLarge(end)
    this.checked = checkUtf8(this.bytes, this.checked, end)
    if (this.checked < 0) throw new WebSocketError('WS_ERR_INVALID_UTF8')
  }
}

function readText(frame: Frame): string {
  if (frame.size < SMALL_UP_TO) {
    const text = smallText(frame)
    if (text === null) throw new WebSocketError('WS_ERR_INVALID_UTF8') // RFC 6455 §8.1
    return text
  }
  const bytes = readBinary(frame)
  if (isAscii(bytes)) return toText(bytes, 0, bytes.length, true)
  if (!isUtf8(bytes)) throw new WebSocketError('WS_ERR_INVALID_UTF8') // §8.1
  return toText(bytes, 0, bytes.length, false)
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
