// What a command knows of the process that it runs in. A test gives it streams of its own in place of these.

import type { Readable, Writable } from 'node:stream'

export interface Input extends Readable {
  isTTY?: boolean
}

export interface Output extends Writable {
  isTTY?: boolean
  columns?: number
}

export interface Io {
  readonly stdin: Input
  /** For data only. */
  readonly stdout: Output
  /** For what is said about it. */
  readonly stderr: Output
  readonly env: { readonly [name: string]: string | undefined }
  /** Aborted when the user asks for the end, or stdout has no reader any more. */
  readonly signal: AbortSignal
}

/** What the process ends with. */
export const ExitCode = { Ok: 0, Failed: 1, Usage: 2 } as const

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode]

/** The command line is wrong: nothing has been done. */
export class UsageError extends Error {}

/** Something went wrong that the user has to know of, in these words. */
export class Failure extends Error {}

/** Why a signal was aborted: stdout has no reader any more. */
export class BrokenOutput extends Error {}

/**
 * Writes a chunk, unless the stream takes none any more; where it wants no other for now, gives a promise of the time when it does,
 * or never will.
 */
export function put(stream: Writable, chunk: unknown): Promise<void> | undefined {
  return !stream.writable || stream.write(chunk) ? undefined : drained(stream)
}

function drained(stream: Writable): Promise<void> {
  return new Promise(resolve => {
    const events = ['drain', 'close', 'error']
    const done = (): void => {
      for (const event of events) stream.off(event, done)
      resolve()
    }
    for (const event of events) stream.on(event, done)
  })
}

/** Runs something once when the signal is aborted, now if it is; gives what undoes that. */
export function whenAborted(signal: AbortSignal, run: () => void): () => void {
  if (signal.aborted) run()
  else signal.addEventListener('abort', run, { once: true })
  return () => signal.removeEventListener('abort', run)
}

/** Calls `late` once nothing has moved for so long; gives what stops that. */
export function whenStill(isMoving: () => boolean, milliseconds: number, late: () => void): () => void {
  let since = performance.now()
  const look = (): void => {
    if (isMoving()) since = performance.now()
    else if (performance.now() - since >= milliseconds) {
      stop()
      late()
    }
  }
  const timer = setInterval(look, Math.min(milliseconds / 4, 1000))
  const stop = (): void => clearInterval(timer)
  return stop
}
