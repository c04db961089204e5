// One connection of `connect`: how it is ended, by whom, and what that means for the exit code. What is said on it is not known here.

import type { WebSocketStream } from '../index.js'
import { ExitCode, type Io, whenStill } from './io.js'
import { describeClose, describeError, type Notes } from './terminal.js'

export interface CloseWords {
  readonly code: number
  readonly reason: string
}

export interface CallSettings {
  /** What the Close frame says at the end. */
  readonly close: CloseWords
  /** Milliseconds for which the server is waited for. */
  readonly patience: number
}

export class Call {
  hasFailed = false
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
    // it may break before it is read; the reader then sees that
    io.stdin.on('error', () => {})
  }

  /**
   * Closes behind what was written, or as an answer to the peer. Whatever still arrives is waited for, and taken as slowly as stdout
   * wants it; a peer from which nothing comes is not.
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

  /** Says what went wrong on this side, and hangs up. */
  fail(line: string): void {
    this.hasFailed = true
    this.notes.fail(line)
    this.hangUp()
  }

  /** Waits for the end, and says how it came where that is worth a word. */
  async exitCode(isTold: boolean): Promise<ExitCode> {
    const { ws, notes } = this
    const info = await ws.whenClosed()
    if (!info.wasClean) notes.fail(this.error === null ? 'the connection was given up' : describeError(this.error))
    else if (isTold || (info.code !== 1000 && info.code !== 1005)) notes.say(`closed: ${describeClose(info)}`)
    return info.wasClean && !this.hasFailed ? ExitCode.Ok : ExitCode.Failed
  }
}
