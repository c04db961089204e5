// What a command uses of its process: streams, environment, signal. Tests replace it.

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
  /** For messages about the data. */
  readonly stderr: Output
  readonly env: { readonly [name: string]: string | undefined }
  /** Aborted when the user ends the command, or stdout has no reader any more. */
  readonly signal: AbortSignal
}

/** The exit code of the process. */
export const ExitCode = { Ok: 0, Failed: 1, Usage: 2 } as const

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode]

/** The command line is invalid; nothing has been done. */
export class UsageError extends Error {}

/** An error whose text is shown to the user. */
export class Failure extends Error {}

/** Aborts the signal as its reason: stdout has no reader any more. */
export class BrokenOutput extends Error {}

/**
 * Writes a chunk, unless the stream is no longer writable; if it is full, returns a promise that resolves when it has room or is no longer
 * writable.
 */
export function put(
  stream: Writable,
  chunk: unknown,
  done?: (error?: Error | null) => void
): Promise<void> | undefined {
  return !stream.writable || stream.write(chunk, done) ? undefined : drained(stream)
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

/** Calls `run` once when the signal is aborted, or now if it is; returns a function that cancels it. */
export function whenAborted(signal: AbortSignal, run: () => void): () => void {
  if (signal.aborted) run()
  else signal.addEventListener('abort', run, { once: true })
  return () => signal.removeEventListener('abort', run)
}

/** Calls `late` when nothing has moved for this long; returns a function that cancels it. */
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
