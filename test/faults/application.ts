// What an application does with its WebSocketStream, chosen by a seed: it writes, pings, reads fast, slowly or not at all, ends,
// closes, destroys. Records all that it did and saw.

import type { CloseInfo, Message, ReadyState } from '../../lib/index.js'
import type { WebSocketStream } from '../../lib/websocket-stream.js'
import type { Random } from './transport.js'

export type Reader = 'listener' | 'view' | 'pausing' | 'iterator' | 'nobody'

export interface Plan {
  readonly reader: Reader
  /** Number of messages and pings. */
  readonly actions: number
  /** How this side ends the connection, if it does. */
  readonly ending: 'close' | 'end' | 'destroy' | 'destroy-view' | 'leave-loop' | 'nothing'
  /** Whether messages are written to the view, and not sent by `text` and `binary`. */
  readonly usesView: boolean
}

/** A message, and its known fate. */
export interface Sent {
  readonly message: Message
  /** The library has accepted it: the callback of its write got no error, or `text` or `binary` queued it and the view was not full. */
  taken: boolean
  callbacks: number
}

const SIZES = [0, 1, 5, 125, 126, 200, 1000, 9000, 70000]

export class Application {
  readonly sent: Sent[] = []
  readonly received: Message[] = []
  readonly closes: CloseInfo[] = []
  readonly errors: Error[] = []
  readonly viewErrors: Error[] = []
  /** Events after the connection was said to be over. */
  readonly late: string[] = []
  opens = 0
  pings = 0
  settledPings = 0
  handshake: 'pending' | 'opened' | 'failed' = 'pending'
  resolved: CloseInfo[] = []
  /** This side asked to end the connection. */
  hasEnded = false
  /** Its state at that time. */
  endedWhile: ReadyState | '' = ''
  /** It was destroyed, and not closed. */
  hasDestroyed = false
  /** It does not need all messages. */
  hasStoppedReading = false
  viewEnd: 'none' | 'end' | 'close' = 'none'

  private left: number
  private wantsMore: (() => void) | null = null

  constructor(
    readonly name: string,
    readonly ws: WebSocketStream,
    readonly plan: Plan,
    private readonly random: Random,
    private readonly log: (line: string) => void
  ) {
    this.left = plan.actions
    this.listen()
    this.read()
  }

  private listen(): void {
    const { ws } = this
    const note = (what: string): void => {
      this.log(`${this.name} sees ${what}`)
      if (this.closes.length > 0 && what !== 'close') this.late.push(what)
    }
    ws.on('open', () => {
      this.opens++
      note('open')
    })
    ws.on('ping', () => note('ping'))
    ws.on('pong', () => note('pong'))
    ws.on('error', error => {
      this.errors.push(error)
      note(`error ${(error as { code?: string }).code}`)
    })
    ws.on('close', info => {
      note('close')
      this.log(`${this.name} ${JSON.stringify(info)}`)
      this.closes.push(info)
    })
    ws.opened.then(
      () => (this.handshake = 'opened'),
      () => (this.handshake = 'failed')
    )
    void ws.whenClosed().then(info => this.resolved.push(info))
  }

  private read(): void {
    const { ws, plan } = this
    if (plan.reader === 'nobody') {
      this.hasStoppedReading = true
    } else if (plan.reader === 'listener') {
      ws.on('message', message => {
        this.take(message)
        if (this.closes.length > 0) this.late.push('message')
      })
      // a view that was created for writing stops the wire if its messages are not read
      if (plan.usesView) ws.messages.resume()
    } else if (plan.reader === 'iterator') {
      void this.iterate()
    } else {
      ws.messages.on('data', (message: Message) => {
        this.take(message)
        if (plan.reader === 'pausing' && this.random() < 0.5) {
          ws.messages.pause()
          this.wantsMore = () => ws.messages.resume()
        }
      })
    }
    if (plan.usesView || plan.reader === 'view' || plan.reader === 'pausing') this.watchView()
  }

  private watchView(): void {
    this.ws.messages.on('error', error => this.viewErrors.push(error))
    this.ws.messages.on('end', () => (this.viewEnd = 'end'))
  }

  private async iterate(): Promise<void> {
    try {
      for await (const message of this.ws.messages) {
        this.take(message as Message)
        if (this.plan.ending === 'leave-loop' && this.random() < 0.2) {
          this.log(`${this.name} leaves the loop`)
          this.hasEnded = this.hasStoppedReading = true
          break
        }
        if (this.random() < 0.5) await new Promise<void>(resolve => (this.wantsMore = resolve))
      }
    } catch (error) {
      this.viewErrors.push(error as Error)
    }
  }

  private take(message: Message): void {
    this.received.push(message)
    this.log(`${this.name} receives ${message.length}`)
  }

  /** Whether it still has something to do. */
  get isBusy(): boolean {
    return this.wantsMore !== null || (this.left > 0 && !this.hasEnded && this.closes.length === 0)
  }

  /** Takes one action. */
  step(): void {
    const { wantsMore } = this
    if (wantsMore !== null && (this.random() < 0.5 || this.left <= 0 || this.hasEnded)) {
      this.wantsMore = null
      wantsMore()
    } else if (this.left > 0 && !this.hasEnded) {
      this.left--
      this.act()
    }
  }

  private act(): void {
    if (this.random() < 0.25) {
      this.pings++
      this.log(`${this.name} pings`)
      const settled = (): number => this.settledPings++
      void this.ws.ping().then(settled, settled)
      return
    }
    const size = SIZES[Math.floor(this.random() ** 2 * SIZES.length)]!
    const number = String(this.sent.length)
    const text = number.padEnd(size, 'é')
    this.write(this.random() < 0.5 ? text : Buffer.from(text))
  }

  private write(message: Message): void {
    const { ws } = this
    const sent: Sent = { message, taken: false, callbacks: 0 }
    if (ws.readyState !== 'open' && ws.readyState !== 'connecting') return
    this.log(`${this.name} writes ${message.length}`)
    this.sent.push(sent)
    if (this.plan.usesView) {
      ws.messages.write(message, (error?: Error | null) => {
        sent.callbacks++
        sent.taken = !error
      })
    } else {
      const isQueued = typeof message === 'string' ? ws.text(message) : ws.binary(message)
      // a view in between may hold a message
      const hasView = this.plan.reader !== 'listener' && this.plan.reader !== 'nobody'
      sent.taken = isQueued && !(hasView && ws.needsDrain)
      sent.callbacks = 1
    }
  }

  /** Ends the connection as planned, or by a close. */
  finish(): void {
    if (this.hasEnded) return
    this.hasEnded = true
    this.endedWhile = this.ws.readyState
    const { ending } = this.plan
    this.log(`${this.name} ends: ${ending}`)
    if (ending === 'end') {
      this.ws.messages.end()
      if (this.plan.reader === 'listener') this.ws.messages.resume()
    } else if (ending === 'destroy') {
      this.hasDestroyed = this.hasStoppedReading = true
      this.ws.destroy()
    } else if (ending === 'destroy-view') {
      this.hasStoppedReading = true
      this.ws.messages.destroy()
    } else {
      // the loop was to be left at a message, but none came
      this.ws.close(3000 + Math.floor(this.random() * 1000), 'that is all')
    }
  }
}
