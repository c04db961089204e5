// Yields one open connection after the other to a URL, while the caller asks for more. retry.ts decides which errors are final,
// reconnect-options.ts how long to wait.

import { follow, unfollow } from '../abort-signals.js'
import { kEndpoint } from '../endpoint.js'
import { HandshakeError, WebSocketError } from '../errors.js'
import type { WebSocketStream } from '../websocket-stream.js'
import { connect } from './connect.js'
import type { ConnectOptions } from './connect-options.js'
import { readDialTarget } from './dial-target.js'
import { delayAfter, type ReconnectOptions, type ReconnectSettings, readReconnectOptions } from './reconnect-options.js'
import { isFinal, retryAfter } from './retry.js'
import { thrownError } from './thrown-error.js'

/** Where to connect to: a URL, or a function called for each attempt, for tickets that are valid once. */
export type ReconnectTarget = string | URL | (() => string | URL | PromiseLike<string | URL>)

/**
 * Connects, and connects again whenever a connection has ended: an async iterable of open connections, one at a time.
 *
 * The next connection is dialled when the last one has ended and the loop asks for it, after a random pause that grows with each attempt
 * (`initialDelay`, `factor`, `maxDelay`), and not before the time in the `Retry-After` of a refusal. If the body of the loop ends while the
 * connection is open, the loop waits for the connection to end, so the body may just add listeners. `break`, `return` and exceptions in
 * the body close the connection with 1000; the loop is left when it has ended.
 *
 * The loop handles the end of each connection: `onRetry` gets the error, and `ws.messages` ends instead of failing after a lost connection.
 * Sending does reject: `ws.drained()`, `ws.ping()`, a pipeline into `ws.messages`.
 *
 * An aborted `signal` ends the loop without an error. Waiting keeps the process alive.
 * @param url - as for `connect`; or a function that returns it, or a promise of it, within `handshakeTimeout`
 * @param options - those of `connect`, and how to retry
 * @returns an iterator that dials when its first connection is asked for
 * @throws SyntaxError, TypeError, RangeError at once if the URL or an option is invalid; the loop throws an error after which it does not
 * try again (`retry`), or that of the last of `maxAttempts`
 */
export function reconnect(url: ReconnectTarget, options?: ReconnectOptions): AsyncIterableIterator<WebSocketStream> {
  const settings = readReconnectOptions(options)
  if (typeof url !== 'function') readDialTarget(url)
  return new Reconnection(url, settings)
}

class Reconnection implements AsyncIterableIterator<WebSocketStream> {
  private readonly connections = this.run()
  private ws: WebSocketStream | null = null
  private attempts = 0
  // the application has left the loop
  private isLeft = false
  private wake: (() => void) | null = null

  constructor(
    private readonly target: ReconnectTarget,
    private readonly settings: ReconnectSettings
  ) {}

  next(): Promise<IteratorResult<WebSocketStream, void>> {
    return this.connections.next()
  }

  /** Ends the current attempt or connection, even while `next` waits for it. */
  return(): Promise<IteratorResult<WebSocketStream, void>> {
    this.isLeft = true
    this.wake?.()
    if (this.ws?.readyState === 'connecting') this.ws.destroy()
    else this.ws?.close()
    return this.connections.return()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  private get isOver(): boolean {
    return this.isLeft || (this.settings.connection.signal?.aborted ?? false)
  }

  private async *run(): AsyncGenerator<WebSocketStream, void, void> {
    while (!this.isOver) {
      let error = await this.open()
      if (error === null) {
        const ws = this.ws!
        const since = performance.now()
        let isBodyOver = false
        try {
          yield ws
          isBodyOver = true
        } finally {
          if (!isBodyOver) await ws[Symbol.asyncDispose]()
        }
        await ws.whenClosed()
        if (performance.now() - since >= this.settings.minUptime) this.attempts = 0
        error = endOf(ws)
      }
      this.ws = null
      await this.pause(error)
    }
  }

  /** Dials once; resolves with null if the connection is open, otherwise with the error. */
  private async open(): Promise<Error | null> {
    let url: string | URL | undefined
    let headers: ConnectOptions['headers']
    try {
      url = await this.inTime(typeof this.target === 'function' ? this.target() : this.target)
      if (!this.isOver) headers = await this.inTime(this.settings.headers?.())
    } catch (error) {
      return thrownError(error)
    }
    if (this.isOver) return new HandshakeError('WS_ERR_ABORTED')
    const { connection } = this.settings
    const ws = connect(url!, headers === undefined ? connection : { ...connection, headers })
    this.ws = ws
    ws[kEndpoint].receiver.endsQuietly = true
    try {
      await ws.opened
      return null
    } catch (error) {
      await ws.whenClosed()
      return error as Error
    }
  }

  /** Resolves with the result of an application's function, or undefined if the loop ends first; rejects after `time` ms. */
  private inTime<T>(
    value: T | PromiseLike<T>,
    time = this.settings.connection.handshakeTimeout ?? 10_000
  ): T | Promise<T | undefined> {
    if (typeof (value as PromiseLike<T> | undefined)?.then !== 'function') return value as T
    return new Promise((resolve, reject) => {
      const stop = this.wait(time, () => {
        if (this.isOver) resolve(undefined)
        else reject(new HandshakeError('WS_ERR_HANDSHAKE_TIMEOUT', { fault: 'local' }))
      })
      // stops first: the loop may then wait for something else
      Promise.resolve(value).finally(stop).then(resolve, reject)
    })
  }

  /** Waits for the next attempt. @throws the error if there is none */
  private async pause(error: Error): Promise<void> {
    const { settings } = this
    if (this.isOver) return
    const attempt = ++this.attempts
    const isWorthIt = (await this.inTime(settings.retry(error, attempt), Number.POSITIVE_INFINITY)) ?? !isFinal(error)
    if (this.isOver) return
    if (!isWorthIt || attempt >= settings.maxAttempts) throw error
    const delay = delayAfter(attempt, retryAfter(error), settings)
    settings.onRetry({ error, attempt, delay })
    await new Promise<void>(resolve => this.wait(delay, resolve))
  }

  /** Calls back after `delay` ms, or as soon as the loop ends: now if a function of the application ended it. @returns a function that cancels it */
  private wait(delay: number, callback: () => void): () => void {
    const { signal } = this.settings.connection
    const follower = { aborted: (): void => wake() }
    const timer = delay === Number.POSITIVE_INFINITY ? undefined : setTimeout(() => wake(), delay)
    const stop = (): void => {
      clearTimeout(timer)
      if (this.wake === wake) this.wake = null
      if (signal !== undefined) unfollow(signal, follower)
    }
    const wake = (): void => {
      stop()
      callback()
    }
    this.wake = wake
    if (signal !== undefined) follow(signal, follower)
    if (this.isOver) wake()
    return stop
  }
}

/** The end of an open connection, as an error. */
function endOf(ws: WebSocketStream): WebSocketError {
  const { failure } = ws[kEndpoint].connection
  if (failure !== null) return failure
  const { code, reason, initiator } = ws.closeInfo!
  const who = initiator === 'peer' ? 'the server' : 'the application'
  const message = `${who} closed the connection: ${code} ${reason}`.trimEnd()
  return new WebSocketError('WS_ERR_CLOSED', { message, closeCode: code, fault: initiator })
}
