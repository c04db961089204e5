// Sends messages to an echo server on many connections: each keeps a number of messages in flight, until there are enough or the time is
// over. Counts and measures; prints nothing.

import type { Message, WebSocketStream } from '../index.js'
import { Failure } from './io.js'
import { Latencies } from './latencies.js'

export interface LoadSettings {
  /** The message that is sent each time. */
  readonly message: Message
  /** Number of messages of one connection that wait for their answer. */
  readonly inFlight: number
  /** Number of messages of all connections; Infinity if the time decides. */
  readonly messages: number
}

export class Load {
  /** Number of messages that have been answered. */
  answered = 0
  readonly latencies = new Latencies()

  private left: number
  private isOver = false
  private begun = 0
  private ended = 0
  private readonly outcome: Promise<void>
  private resolve!: () => void
  private reject!: (error: Error) => void

  constructor(
    private readonly connections: readonly WebSocketStream[],
    private readonly settings: LoadSettings
  ) {
    this.left = settings.messages
    this.outcome = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
  }

  /** @throws Failure if a connection ends, or its server sends back something else */
  async run(): Promise<void> {
    const lanes = this.connections.map(ws => this.lane(ws))
    this.begun = performance.now()
    for (const send of lanes) send()
    try {
      await this.outcome
    } finally {
      this.ended = performance.now()
    }
  }

  /** Sends no more messages; those in flight are not counted. */
  stop(): void {
    this.isOver = true
    this.resolve()
  }

  fail(error: Error): void {
    this.isOver = true
    this.reject(error)
  }

  /** The time so far. */
  get milliseconds(): number {
    return (this.ended || performance.now()) - this.begun
  }

  /** Listens to a connection; returns a function that starts sending. */
  private lane(ws: WebSocketStream): () => void {
    const { message, inFlight } = this.settings
    // answers arrive in the order of the messages
    const times = new Float64Array(inFlight)
    let sent = 0
    let received = 0
    const send = (): void => {
      this.left--
      times[sent++ % inFlight] = performance.now()
      if (typeof message === 'string') ws.text(message)
      else ws.binary(message)
    }
    ws.on('message', answer => {
      if (this.isOver) return
      if (answer.length !== message.length || typeof answer !== typeof message || received === sent) {
        this.fail(new Failure('the server does not echo messages; bench needs an echo server'))
        return
      }
      this.latencies.add(performance.now() - times[received++ % inFlight]!)
      if (++this.answered === this.settings.messages) this.stop()
      else if (this.left > 0) send()
    })
    ws.once('close', ({ code }) => this.fail(new Failure(`a connection ended with ${code}`)))
    return () => {
      for (let i = 0; i < inFlight && this.left > 0; i++) send()
    }
  }
}
