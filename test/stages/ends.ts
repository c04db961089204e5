// Both ends of stages under test, linked or as streams.

import { Readable, Transform, Writable } from 'node:stream'
import t, { type Test } from 'tap'
import type { Frame } from '../../lib/protocol/frame.js'
import type { Batch, Receiver, Sender } from '../../lib/stages/stage.js'
import { bytesOf, describe } from '../support/frames.js'

/** A test that fails if streams stall, instead of waiting for its timeout or ending with the process. */
export function test(name: string, run: (t: Test) => Promise<unknown>): void {
  t.test(name, async t => {
    let timer: NodeJS.Timeout | undefined
    const standstill = new Promise((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error('it came to a standstill')), 60_000)
    })
    await Promise.race([run(t), standstill]).finally(() => clearTimeout(timer))
  })
}

/** The downstream end of a link. */
export class Taker<T> implements Receiver<T> {
  prev: Sender<T> | null = null
  readonly batches: Batch<T>[] = []
  ends = 0
  /** The result of `receive`. */
  wants = true
  /** Called inside `receive`. */
  meanwhile: (() => void) | null = null

  receive(batch: Batch<T>): boolean {
    this.batches.push(batch)
    this.meanwhile?.()
    return this.wants
  }

  finish(): void {
    this.ends++
  }

  get items(): T[] {
    return this.batches.flat()
  }

  /** Wants more again, and calls `proceed`. */
  proceed(): void {
    this.wants = true
    this.prev!.proceed()
  }
}

/** The upstream end of a link. */
export class Giver<T> implements Sender<T> {
  next: Receiver<T> | null = null
  asked = 0

  proceed(): void {
    this.asked++
  }
}

export const nextTurn = (): Promise<void> => new Promise(setImmediate)

export const describeFrame = ({ opcode, fin, rsv, payload }: Frame): string =>
  describe({ opcode, fin, rsv, payload: bytesOf(payload) })

/** A stream of these chunks, each in its own turn. */
export function sourceOf(chunks: Iterable<unknown>, objectMode = false): Readable {
  return Readable.from(chunks, { objectMode, highWaterMark: objectMode ? 1 : 16384 })
}

/** Everything that a stream emits, with batches flattened; a slow one waits some turns between reads. */
export async function all(stream: AsyncIterable<unknown>, slow = false): Promise<unknown[]> {
  const items: unknown[] = []
  for await (const item of stream) {
    items.push(...(Array.isArray(item) ? item : [item]))
    if (slow) await nextTurn()
  }
  return items
}

/** A Transform of the user's own: passes objects on. */
export function passing(): Transform {
  return new Transform({
    objectMode: true,
    transform(chunk, _encoding, callback) {
      setImmediate(callback, null, chunk)
    }
  })
}

/** Records everything it is given. */
export function sink(options: { objectMode?: boolean; slow?: boolean } = {}): Writable & { items: unknown[] } {
  const items: unknown[] = []
  const stream = new Writable({
    objectMode: options.objectMode ?? false,
    write(chunk, _encoding, callback) {
      items.push(...(Array.isArray(chunk) ? chunk : [chunk]))
      if (options.slow) setImmediate(callback)
      else callback()
    }
  })
  return Object.assign(stream, { items })
}

/** Resolves with the value of an event. */
export function event<T>(stream: NodeJS.EventEmitter, name: string): Promise<T> {
  return new Promise(resolve => stream.once(name, resolve))
}
