// One connection of `connect`: how it is closed, by which side, and the resulting exit code. Knows nothing of the messages.

import type { WebSocketStream } from '../index.js'
import { ExitCode, type Io, whenStill } from './io.js'
import { describeClose, describeError, type Notes } from './terminal.js'

export interface CloseWords {
  readonly code: number
  readonly reason: string
}

export interface CallSettings {
  /** The content of the Close frame at the end. */
  readonly close: CloseWords
  /** Time in ms to wait for the server. */
  readonly patience: number
}

export class Call {
  hasFailed = false
  /** What was left undone, although the connection was closed in order. */
  unfinished: string | null = null
  private isEnding = false
  private error: Error | null = null

  constructor(
    readonly ws: WebSocketStream,
    readonly io: Io,
    readonly notes: Notes,
    private readonly settings: CallSettings
  ) {
    ws.on('error', error => {
      this.error = error
    })
    // stdin may fail before it is read; the reader then notices
    io.stdin.on('error', () => {})
  }

  /**
   * Closes after everything written, or answers the peer's Close. Waits for messages that still arrive, with the backpressure of stdout,
   * but not for a peer that is silent.
   */
  hangUp(close: CloseWords = this.settings.close): void {
    const { ws, io } = this
    if (ws.readyState === 'connecting') {
      ws.destroy()
      return
    }
    ws.close(close.code, close.reason)
    if (this.isEnding) return
    this.isEnding = true
    let moved = -1
    const isMoving = (): boolean => {
      const { bytesReceived, bytesSent } = ws.stats
      const before = moved
      moved = bytesReceived + bytesSent
      return moved !== before || io.stdout.writableNeedDrain
    }
    const stop = whenStill(isMoving, this.settings.patience, () => ws.destroy())
    ws.once('close', stop)
  }

  /** Reports an error of this side, and closes. */
  fail(line: string): void {
    this.hasFailed = true
    this.notes.fail(line)
    this.hangUp()
  }

  /** Whether the connection has failed, and reports how. */
  get hasError(): boolean {
    return this.error !== null
  }

  /** Whether this side closes, or answers a Close of the server. */
  get isHungUp(): boolean {
    return this.isEnding
  }

  /**
   * What is missing if the connection has ended with this code after all of stdin was sent: a server that has taken everything answers our
   * Close with its code, with 1000, or without a code.
   */
  untaken(code: number): string | null {
    return isNormal(code) || code === this.settings.close.code ? null : 'the server may not have taken all of stdin'
  }

  /** Waits for the end, and reports how the connection ended; a normal end only if `isTold`. */
  async exitCode(isTold: boolean): Promise<ExitCode> {
    const { ws, notes } = this
    const info = await ws.whenClosed()
    const closed = `closed: ${describeClose(info)}`
    if (this.unfinished !== null && info.code !== 1006) notes.fail(`${closed}; ${this.unfinished}`)
    else if (!info.wasClean) notes.fail(this.error === null ? 'the connection was given up' : describeError(this.error))
    else if (isTold || !isNormal(info.code)) notes.say(closed)
    return info.wasClean && !this.hasFailed && this.unfinished === null ? ExitCode.Ok : ExitCode.Failed
  }
}

function isNormal(code: number): boolean {
  return code === 1000 || code === 1005
}
