// Pings and Pongs in both directions (RFC 6455 §5.5.2, §5.5.3): those of the application, the answers to the peer's, and keepalive. The
// Connection decides whether they can still be sent.

import { Keepalive, type KeepaliveOwner } from './keepalive.js'
import { PendingPings } from './pending-pings.js'
import { Opcode } from './protocol/opcode.js'
import { Buffer } from './runtime/node.js'

/** The methods that Pings calls on the Endpoint. */
export interface PingsOwner {
  /** Sends a Ping or Pong; false if it replaced an answer that was still waiting. */
  sendControl(opcode: Opcode, payload: Buffer, isAnswer?: boolean): boolean
  /** Sends a Ping or Pong after the messages that were sent before. */
  sendInOrder(opcode: Opcode, payload: Buffer): void
  /** Whether the wire takes no more at present. */
  readonly isBlocked: boolean
  /** Whether backpressure of this side keeps the peer from writing at present. */
  holdsInput(): boolean
  /** Resumes input after `receivePing` paused it. */
  resumeInput(): void
  /** Emits the event. */
  notify(event: 'ping' | 'pong', payload: Buffer): void
  /** The peer has not answered a keepalive Ping in time. */
  peerIsSilent(): void
}

/**
 * Time in ms that input waits for the wire to take a Pong; then `PINGS_AT_ONCE` Pings are read before it waits again. Otherwise two peers
 * that both write and ping could wait for each other for ever. A peer that pings but does not read is read so slowly that it costs little.
 */
const PONG_PATIENCE = 100
const PINGS_AT_ONCE = 1024

const EMPTY = Buffer.alloc(0)

export class Pings implements KeepaliveOwner {
  /** Whether the application answers the peer's Pings. */
  areRelayed = false

  private keepalive: Keepalive | null = null
  private pending: PendingPings | null = null
  // sent when the connection opens
  private early: { opcode: Opcode; payload: Buffer }[] | null = null
  // runs while input waits for the wire to take a Pong
  private patience: NodeJS.Timeout | null = null
  // Pings to read before input waits for the wire again
  private pingsLeft = 0

  constructor(
    private readonly owner: PingsOwner,
    private isOpen: boolean
  ) {}

  /** The connection is open: sends what waited, before anything that an 'open' listener sends. */
  opened(keepalive?: { readonly interval: number; readonly timeout: number }): void {
    const { early } = this
    this.isOpen = true
    this.early = null
    if (keepalive !== undefined) this.keepalive = new Keepalive(keepalive.interval, keepalive.timeout, this)
    if (early !== null) for (const { opcode, payload } of early) this.owner.sendControl(opcode, payload)
  }

  /** The connection is open in a version without Pings. */
  areRefused(): void {
    this.early = null
    this.pending?.fail()
  }

  /** Sends a Ping; resolves with the time until its Pong in ms. Before the connection is open, the Ping waits. */
  ping(payload: Buffer, inOrder: boolean): Promise<number> {
    this.pending ??= new PendingPings()
    const answered = this.pending.add(payload)
    this.send(Opcode.Ping, payload, inOrder)
    return answered
  }

  /** Sends an unsolicited Pong; before the connection is open, it waits like a Ping. */
  pong(payload: Buffer, inOrder: boolean): void {
    this.send(Opcode.Pong, payload, inOrder)
  }

  private send(opcode: Opcode, payload: Buffer, inOrder: boolean): void {
    if (inOrder) this.owner.sendInOrder(opcode, payload)
    else if (this.isOpen) this.owner.sendControl(opcode, payload)
    else (this.early ??= []).push({ opcode, payload })
  }

  /** A Ping has arrived; false pauses the input until `resumeInput`. */
  receivePing(payload: Buffer, isAnswered: boolean): boolean {
    const isSent = !isAnswered || this.areRelayed || this.owner.sendControl(Opcode.Pong, payload, true)
    const more = isSent || this.pingsLeft-- > 0
    // a peer that pings without reading is read only slowly
    if (!more) this.patience ??= setTimeout(() => this.readOn(), PONG_PATIENCE)
    this.owner.notify('ping', payload)
    return more
  }

  private readOn(): void {
    this.pingsLeft = PINGS_AT_ONCE
    this.resumeInput()
  }

  private resumeInput(): void {
    if (this.patience === null) return
    clearTimeout(this.patience)
    this.patience = null
    this.owner.resumeInput()
  }

  /** A Pong has arrived. */
  receivePong(payload: Buffer): void {
    this.pending?.settle(payload)
    this.owner.notify('pong', payload)
  }

  /** Bytes arrived on the wire, or it took some of the bytes that waited. */
  heard(): void {
    this.keepalive?.heard()
  }

  /** The wire takes bytes again. */
  drained(): void {
    if (this.pingsLeft !== 0) this.pingsLeft = 0
    this.resumeInput()
  }

  /** The closing handshake has started, which has its own timeout. */
  stopKeepalive(): void {
    this.keepalive?.stop()
  }

  /** The connection has ended. */
  over(): void {
    this.keepalive?.stop()
    if (this.patience !== null) clearTimeout(this.patience)
    this.pending?.fail()
  }

  // Keepalive

  sendPing(): void {
    // a Ping behind data that the wire has not taken would detect nothing more
    if (!this.owner.isBlocked) this.owner.sendControl(Opcode.Ping, EMPTY)
  }

  holdsInput(): boolean {
    return this.owner.holdsInput()
  }

  peerIsSilent(): void {
    this.owner.peerIsSilent()
  }
}
