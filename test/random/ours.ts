// An application of this library.

import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { type Message, prepareMessage, type WebSocketStream } from '../../lib/index.js'
import { drained, whenClosed } from '../matrix/adapter.js'
import { Application, type Sent } from './application.js'
import { type Feature, type Plan, pick, type Random } from './choices.js'
import type { WireEnd } from './wire.js'

type Writer = ReturnType<WebSocketStream['createMessage']>
type Callback = (error?: Error | null) => void

/** A Blob whose bytes are there in the same turn, so that a seed always makes the same run. */
class InstantBlob extends Blob {
  constructor(private readonly content: Buffer) {
    super([content])
  }

  override async arrayBuffer(): Promise<ArrayBuffer> {
    return new Uint8Array(this.content).buffer
  }
}

/** A message that is written piece by piece. */
interface Piecewise {
  writer: Writer
  sent: Sent
  /** Its remaining pieces. */
  rest: string
}

export class OurApplication extends Application {
  readonly resolved: unknown[] = []
  handshake: 'pending' | 'opened' | 'failed' = 'pending'
  private pieces: Piecewise | null = null
  // a pipeline into the view, which waits for its next message: `feed` lets it go on
  private feed: (() => void) | null = null
  private isFeeding = false

  constructor(
    name: 'client' | 'server',
    readonly ws: WebSocketStream,
    end: WireEnd,
    plan: Plan,
    random: Random,
    private readonly without: ReadonlySet<Feature>,
    private readonly abort: AbortController,
    say: ((line: string) => void) | null
  ) {
    super(name, end, plan, random, say)
    this.listen()
    this.read()
  }

  get isOver(): boolean {
    return this.closes.length > 0
  }

  protected get canSend(): boolean {
    const { readyState } = this.ws
    return readyState === 'open' || readyState === 'connecting'
  }

  private listen(): void {
    const { ws } = this
    ws.on('open', () => {
      this.opens++
      this.called('open')
    })
    ws.on('ping', payload => {
      payload.fill(0)
      this.called('ping')
    })
    ws.on('pong', () => this.called('pong'))
    ws.on('error', error => {
      this.errors.push(error)
      this.say?.(`${this.name} sees ${(error as { code?: string }).code}`)
      this.called('error')
    })
    ws.on('close', ({ code, wasClean }) => {
      this.closed(code, wasClean)
      this.feed?.()
      this.called('close')
    })
    ws.opened.then(
      () => (this.handshake = 'opened'),
      () => (this.handshake = 'failed')
    )
    void whenClosed(ws).then(info => this.resolved.push(info))
  }

  private read(): void {
    const { ws, plan } = this
    if (plan.reader === 'nobody') {
      this.hasStoppedReading = true
    } else if (plan.reader === 'event') {
      ws.on('message', message => {
        this.got(message)
        this.called('message')
      })
    } else if (plan.reader === 'streams') {
      ws.streams.on('error', () => {})
      ws.streams.on('data', stream => this.readStream(stream))
    } else {
      ws.messages.on('error', () => {})
      if (plan.reader === 'loop') void this.loop()
      else ws.messages.on('data', message => this.readData(message as Message))
    }
  }

  private readData(message: Message): void {
    const { messages } = this.ws
    this.got(message)
    if (this.plan.reader === 'pausing' && this.random() < 0.5) {
      messages.pause()
      this.wantsMore = () => messages.resume()
    }
    // messages held for a reader are delivered when it reads
    this.called('after data')
  }

  private readStream(stream: NodeJS.ReadableStream & { kind: 'text' | 'binary' }): void {
    const pieces: (Buffer | string)[] = []
    stream.on('data', (piece: Buffer | string) => {
      pieces.push(typeof piece === 'string' ? piece : Buffer.from(piece))
      if (typeof piece !== 'string') piece.fill(0)
    })
    stream.on('end', () => {
      const text = stream.kind === 'text' ? pieces.join('') : Buffer.concat(pieces as Buffer[]).toString()
      this.take(stream.kind, text)
      this.called('after the end of a stream')
    })
  }

  private async loop(): Promise<void> {
    try {
      for await (const message of this.ws.messages) {
        this.got(message as Message)
        if (this.random() < 0.5) await new Promise<void>(resolve => (this.wantsMore = resolve))
      }
    } catch {
      // the model learns from the close event how it ended
    }
  }

  private got(message: Message): void {
    if (typeof message === 'string') {
      this.take('text', message)
    } else {
      this.take('binary', message.toString())
      // the application's own error
      message.fill(0)
    }
  }

  protected act(): void {
    const { random, pieces } = this
    const choice = random()
    if (pieces !== null && choice < 0.6) this.writePiece(pieces)
    else if (choice < 0.15) this.ping()
    else if (this.feed !== null && choice < 0.5) this.feed()
    else if (choice < 0.2) this.ws.pong('unasked')
    else if (choice < 0.25) this.waitForDrain()
    else if (choice < 0.35 && pieces === null && !this.without.has('pieces')) this.beginMessage()
    else if (choice < 0.4 && !this.without.has('sources')) this.pipe()
    else if (choice < 0.43 && !this.without.has('sources')) this.giveUpMessage()
    else if (choice < 0.5 && !this.without.has('sources')) this.sendBlob()
    else this.sendMessage()
  }

  private ping(): void {
    const payload = Buffer.from(String(this.promises.made))
    this.say?.(`${this.name} pings`)
    this.watch(this.ws.ping(payload, { inOrder: this.random() < 0.5 }))
    if (!this.without.has('reuse')) payload.fill(0xee)
  }

  private waitForDrain(): void {
    this.say?.(`${this.name} waits for drain`)
    this.watch(drained(this.ws))
  }

  /** Begins a pipeline from a generator, which gives a message whenever it is fed, and as fast as it can when the connection is over. */
  private pipe(): void {
    const { plan, ws } = this
    if (this.isFeeding || plan.reader === 'event' || plan.reader === 'nobody') return
    this.isFeeding = true
    this.say?.(`${this.name} begins a pipeline`)
    const view = plan.reader === 'streams' ? ws.streams : ws.messages
    this.watch(pipeline(this.feeder(), view as NodeJS.WritableStream))
  }

  private async *feeder(): AsyncGenerator<string | Buffer> {
    while (this.isFeeding) {
      if (this.isOver) await new Promise(resolve => setImmediate(resolve))
      else await new Promise<void>(resolve => (this.feed = resolve))
      this.feed = null
      if (!this.isFeeding) return
      const sent = this.next(false)
      yield sent.kind === 'text' ? sent.text : Buffer.from(sent.text)
    }
  }

  /** A message that is destroyed before anything of it was written, perhaps while it waits for its turn. */
  private giveUpMessage(): void {
    this.say?.(`${this.name} begins a message and gives it up`)
    const writer = this.ws.createMessage('text')
    writer.on('error', () => {})
    setImmediate(() => writer.destroy())
  }

  private sendBlob(): void {
    const sent = this.next(true)
    sent.kind = 'binary'
    const isTaken = this.ws.send(new InstantBlob(Buffer.from(sent.text)), error => this.calledBack(sent, error))
    if (isTaken) return
    this.say?.('which is not taken')
    this.sent.pop()
  }

  private beginMessage(): void {
    const sent = this.next(true)
    sent.isWhole = false
    const writer = this.ws.createMessage(sent.kind)
    writer.on('error', () => {})
    this.pieces = { writer, sent, rest: sent.text }
    this.writePiece(this.pieces)
  }

  private writePiece(pieces: Piecewise): void {
    const { rest, writer } = pieces
    const piece = rest.slice(0, Math.ceil(this.random() * rest.length))
    if (piece === rest) {
      this.endMessage(pieces)
      return
    }
    pieces.rest = rest.slice(piece.length)
    this.say?.(`${this.name} writes ${piece.length} of a message`)
    this.write(writer, pieces.sent.kind, piece)
  }

  private endMessage({ rest, writer, sent }: Piecewise): void {
    this.pieces = null
    sent.isWhole = true
    this.say?.(`${this.name} ends a message with ${rest.length}`)
    this.write(writer, sent.kind, rest)
    writer.end((error?: Error | null) => this.calledBack(sent, error))
  }

  private write(writer: Writer, kind: Sent['kind'], text: string): void {
    const bytes = Buffer.from(text)
    writer.write(kind === 'text' ? text : bytes, () => this.reuse(bytes))
  }

  private reuse(bytes: Buffer): void {
    if (!this.without.has('reuse')) bytes.fill(0xee)
  }

  private calledBack(sent: Sent, error?: Error | null): void {
    sent.callbacks++
    sent.isConfirmed = !error
    this.called('after a write')
  }

  private sendMessage(): void {
    const { ws, plan, random } = this
    const hasMessages = plan.reader === 'data' || plan.reader === 'pausing' || plan.reader === 'loop'
    const usesView = random() < 0.5 && (hasMessages || plan.reader === 'streams')
    if (usesView) {
      this.writeToView(this.next(true), hasMessages ? ws.messages : ws.streams)
      return
    }
    const sent = this.next(false)
    const bytes = Buffer.from(sent.text)
    const isTaken =
      random() < 0.2
        ? ws.send(prepareMessage(sent.kind === 'text' ? sent.text : bytes))
        : sent.kind === 'text'
          ? ws.text(sent.text)
          : ws.binary(bytes)
    if (!isTaken) {
      this.say?.('which is not taken')
      this.sent.pop()
      return
    }
    const gone = drained(ws)
    this.watch(gone)
    gone.then(
      () => {
        sent.isConfirmed = true
        this.reuse(bytes)
      },
      () => {}
    )
  }

  private writeToView(sent: Sent, view: { write(item: never, callback: Callback): boolean }): void {
    const bytes = Buffer.from(sent.text)
    const item = sent.kind === 'text' ? sent.text : bytes
    const asStream = this.plan.reader === 'streams' && sent.kind === 'binary' && bytes.length > 0 && this.random() < 0.5
    view.write((asStream ? Readable.from([bytes], { objectMode: false }) : item) as never, error => {
      this.reuse(bytes)
      this.calledBack(sent, error)
    })
  }

  protected endNow(): void {
    const { ws, plan, random, pieces } = this
    const { reader, ending } = plan
    // otherwise its Close would be sent in the middle of that message, and a pipeline would wait for its end
    if (pieces !== null && (random() < 0.5 || (this.isFeeding && ending === 'end'))) this.endMessage(pieces)
    const view = reader === 'streams' ? ws.streams : reader === 'event' || reader === 'nobody' ? null : ws.messages
    if (ending === 'end' && view !== null) this.endView(view)
    else if (ending === 'abort') this.abortNow()
    else if (ending === 'destroy') this.destroyAll(() => ws.destroy(random() < 0.5 ? new Error('given up') : undefined))
    else if (ending === 'destroy the view' && view !== null) this.stopReading(() => view.destroy())
    else ws.close(pick(random, 1000, 1001, 3000, 4999), 'that is all')
  }

  /** A pipeline ends its view itself. */
  private endView(view: { end(): unknown }): void {
    if (!this.isFeeding) view.end()
    this.isFeeding = false
    this.feed?.()
  }

  private abortNow(): void {
    // a handshake that is aborted
    if (this.ws.readyState === 'connecting') this.hasDestroyed = this.hasStoppedReading = true
    this.abort.abort()
  }

  private destroyAll(destroy: () => void): void {
    this.hasDestroyed = true
    this.stopReading(destroy)
  }

  private stopReading(stop: () => void): void {
    this.hasStoppedReading = true
    stop()
  }
}
