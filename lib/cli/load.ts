// Connections to an echo server come in: each keeps so many messages under way until there have been enough, or the time is over.
// Counts, and measures; says nothing.

import type { Message, WebSocketStream } from '../index.js'
import { Failure } from './io.js'
import { Latencies } from './latencies.js'

export interface LoadSettings {
  /** What is sent, each time. */
  readonly message: Message
  /** Messages of one connection that have no answer yet. */
  readonly inFlight: number
  /** Of all connections; Infinity where the time decides. */
  readonly messages: number
}

export class Load {
  /** Messages whose answer has come. */
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

  /** @throws Failure where a connection ends, or its server sends something else back */
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

  /** No more is sent; what is under way does not count. */
  stop(): void {
    this.isOver = true
    this.resolve()
  }

  fail(error: Error): void {
    this.isOver = true
    this.reject(error)
  }

  /** So far. */
  get milliseconds(): number {
    return (this.ended || performance.now()) - this.begun
  }

  /** Listens to a connection, and gives what makes it begin. */
  private lane(ws: WebSocketStream): () => void {
    const { message, inFlight } = this.settings
    // answers come in the order of what was sent
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
        this.fail(new Failure('the server does not send back what it is sent: this needs an echo server'))
        return
      }
      this.latencies.add(performance.now() - times[received++ % inFlight]!)
      if (++this.answered === this.settings.messages) this.stop()
      else if (this.left > 0) send()
    })
    ws.once('close', ({ code }) => this.fail(new Failure(`a connection has ended with ${code}`)))
    return () => {
      for (let i = 0; i < inFlight && this.left > 0; i++) send()
    }
  }
}
