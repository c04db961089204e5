// An application of `ws`, on the same wire. It does nothing unusual: exceptions, reused memory and destroying are tested on our side only.

import { createServer } from 'node:http'
import { WebSocket, WebSocketServer } from 'ws'
import { Application, type Sent } from './application.js'
import { type Options, type Plan, pick, type Random } from './choices.js'
import type { WireEnd } from './wire.js'

const PATIENT = { perMessageDeflate: false, maxPayload: 2 ** 26 } as const

export class TheirApplication extends Application {
  private ws: WebSocket | null = null
  private isRefused = false

  constructor(
    name: 'client' | 'server',
    end: WireEnd,
    plan: Plan,
    options: Options,
    random: Random,
    say: ((line: string) => void) | null
  ) {
    super(name, end, plan, random, say)
    // ws cannot be used without listeners
    if (plan.reader === 'nobody') this.hasStoppedReading = true
    const deflate = options.compresses ? { threshold: 0 } : false
    if (name === 'client') this.dial(deflate, options.version)
    else this.serve(deflate)
  }

  get isOver(): boolean {
    // a server that never had a connection gets no end
    return this.closes.length > 0 || (this.ws === null && (this.isRefused || this.end.destroyed))
  }

  protected get canSend(): boolean {
    return this.ws?.readyState === WebSocket.OPEN
  }

  private dial(perMessageDeflate: { threshold: number } | false, version: number): void {
    const options = { ...PATIENT, perMessageDeflate, protocolVersion: version === 13 ? 13 : 8 }
    this.use(new WebSocket('ws://a/', { ...options, createConnection: (() => this.end) as never }))
  }

  private serve(perMessageDeflate: { threshold: number } | false): void {
    const sockets = new WebSocketServer({ ...PATIENT, noServer: true, perMessageDeflate })
    const server = createServer()
    server.on('upgrade', (request, socket, head) => sockets.handleUpgrade(request, socket, head, ws => this.use(ws)))
    server.on('clientError', (_error, socket) => {
      this.isRefused = true
      socket.destroy()
    })
    server.emit('connection', this.end)
  }

  private use(ws: WebSocket): void {
    this.ws = ws
    if (ws.readyState === WebSocket.OPEN) this.opens++
    ws.on('open', () => this.opens++)
    ws.on('error', error => {
      this.errors.push(error)
      this.say?.(`${this.name} sees ${error.message}`)
    })
    ws.on('message', (data: Buffer, isBinary) => this.got(data, isBinary))
    ws.on('close', code => this.closed(code))
    if (this.plan.reader === 'nobody') ws.pause()
  }

  private got(data: Buffer, isBinary: boolean): void {
    this.take(isBinary ? 'binary' : 'text', data.toString())
    if (this.plan.reader !== 'pausing' || this.random() < 0.5) return
    this.ws!.pause()
    this.wantsMore = () => this.ws!.resume()
  }

  protected act(): void {
    const { random } = this
    if (random() < 0.2) {
      this.say?.(`${this.name} pings`)
      this.ws!.ping(String(this.sent.length))
    } else {
      this.send(this.next(true))
    }
  }

  private send(sent: Sent): void {
    const data = sent.kind === 'text' ? sent.text : Buffer.from(sent.text)
    const called = (error?: Error): void => {
      sent.callbacks++
      sent.isConfirmed = !error
    }
    const half = Math.floor(data.length / 2)
    const whole = this.random() < 0.8 || half === 0
    const send = (part: string | Buffer, fin: boolean, callback: (error?: Error) => void): void =>
      this.ws!.send(part, { binary: sent.kind === 'binary', fin }, callback)
    if (!whole) send(data.slice(0, half) as string | Buffer, false, () => {})
    send(whole ? data : (data.slice(half) as string | Buffer), true, called)
  }

  protected endNow(): void {
    const { ws, plan } = this
    if (ws === null) {
      this.hasDestroyed = this.hasStoppedReading = true
      this.end.destroy()
    } else if (plan.ending === 'destroy' || ws.readyState === WebSocket.CONNECTING) {
      this.hasDestroyed = this.hasStoppedReading = true
      ws.terminate()
    } else {
      ws.close(pick(this.random, 1000, 1001, 3000, 4999), 'that is all')
    }
  }
}
