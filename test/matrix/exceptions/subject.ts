// The side whose application throws, and its peer: their listeners, what they send, and what they have seen.

import type { CloseInfo, WebSocketStream } from '../../../lib/index.js'
import { whenClosed } from '../adapter.js'

/** How the application reads. */
export type Reader = 'event' | 'data' | 'readable' | 'streams' | 'frames'

/** Throws at one event, once, in one state. */
export class Bomb {
  readonly error = new Error('thrown by the application')
  thrown = 0

  constructor(
    private readonly event: string,
    private readonly state: string
  ) {}

  /** Called by every listener and callback after its work. */
  at(event: string, ws: WebSocketStream): void {
    if (this.thrown > 0 || event !== this.event || (this.state !== 'any' && ws.readyState !== this.state)) return
    this.thrown++
    throw this.error
  }
}

/** What one side has seen. */
export class Record {
  readonly got: string[] = []
  readonly closes: CloseInfo[] = []
  readonly errors: Error[] = []
  readonly pings: string[] = []
  pongs = 0
  resolved = 0
  /** Pings of this side: sent, answered, and no longer answerable. */
  readonly pinged = { sent: 0, answered: 0, given: 0 }
  readonly callbacks: string[] = []
}

/** Listens to everything; each listener may throw. */
export class Subject {
  readonly record = new Record()

  constructor(
    readonly ws: WebSocketStream,
    private readonly bomb: Bomb,
    private readonly reader: Reader,
    event: string
  ) {
    const { record } = this
    if (event.startsWith('request')) {
      ws.on('request', () => {
        if (event === 'request, undecided') this.at(event)
        ws.accept()
        this.at('request')
      })
    }
    ws.on('open', () => this.at('open'))
    ws.on('ping', payload => {
      record.pings.push(payload.toString())
      this.at('ping')
    })
    ws.on('pong', () => {
      record.pongs++
      this.at('pong')
    })
    ws.on('error', error => {
      record.errors.push(error)
      this.at('error')
    })
    ws.on('close', info => {
      record.closes.push(info)
      this.at('close')
    })
    ws.opened.then(
      () => this.at('opened'),
      () => {}
    )
    void whenClosed(ws).then(() => record.resolved++)
    this.read()
  }

  private at(event: string): void {
    this.bomb.at(event, this.ws)
  }

  private got(message: unknown, event: string): void {
    this.record.got.push(String(message))
    this.at(event)
  }

  private read(): void {
    const { ws, reader } = this
    if (reader === 'event') ws.on('message', message => this.got(message, 'message'))
    else if (reader === 'data') this.watch(ws.messages.on('data', message => this.got(message, 'data')))
    else if (reader === 'readable') this.watch(ws.messages.on('readable', () => this.readAll()))
    else if (reader === 'frames') this.readFrames()
    else this.readStreams()
  }

  private readAll(): void {
    const { messages } = this.ws
    for (let message = messages.read(); message !== null; message = messages.read()) this.got(message, 'readable')
  }

  private readFrames(): void {
    const { frames } = this.ws
    this.watch(frames)
    frames.on('data', ({ opcode, payload }) => {
      if (opcode < 8) this.got(payload, 'frames data')
      else this.at('frames data of a control frame')
    })
  }

  private readStreams(): void {
    const { streams } = this.ws
    this.watch(streams)
    streams.on('data', stream => {
      let text = ''
      stream.on('data', piece => {
        text += piece
        this.at('data of a stream')
      })
      stream.on('end', () => this.got(text, 'end of a stream'))
      this.at('streams data')
    })
  }

  private watch(view: NodeJS.EventEmitter): void {
    for (const event of ['end', 'finish', 'close', 'drain']) view.on(event, () => this.at(`${event} of the view`))
    view.on('error', () => this.at('error of the view'))
  }

  /** Sends messages in all ways that have a callback. */
  speak(): void {
    const { ws, reader } = this
    ws.text('r0')
    if (reader === 'data' || reader === 'readable') ws.messages.write('r1', () => this.calledBack('write callback'))
    else if (reader !== 'frames') ws.text('r1')
    if (reader === 'frames') {
      ws.frames.write({ opcode: 1, payload: 'r1' }, () => this.calledBack('write callback'))
      ws.frames.write({ opcode: 1, payload: 'r2r3' })
    } else {
      const message = ws.createMessage('text')
      message.write('r2', () => this.calledBack('createMessage callback'))
      message.end('r3', () => this.calledBack('createMessage end callback'))
    }
    this.ping()
    ws.text('r4')
  }

  /** Sends more than the wire takes at once. */
  flood(): void {
    const { messages } = this.ws
    for (let i = 0; i < 64 && messages.write('x'.repeat(65536)); i++);
  }

  ping(): void {
    const { pinged } = this.record
    pinged.sent++
    this.ws.ping().then(
      () => {
        pinged.answered++
        this.at('ping answered')
      },
      () => {
        pinged.given++
        this.at('ping given up')
      }
    )
  }

  private calledBack(what: string): void {
    this.record.callbacks.push(what)
    this.at(what)
  }
}
