// The Pings that wait for their Pong. Handling a Pong takes constant time, however many wait.

import { Deferred } from './deferred.js'
import { WebSocketError } from './errors.js'
import type { Buffer } from './runtime/node.js'

/** Maximum number of waiting Pings; for one more, the promise of the oldest is rejected. */
const MOST = 1024

interface Pending {
  readonly key: string
  readonly number: number
  readonly since: number
  readonly resolve: (milliseconds: number) => void
  readonly reject: (error: Error) => void
  /** The next one with the same payload. */
  next: Pending | null
}

export class PendingPings {
  private first = 0
  private count = 0
  private readonly waiting = new Map<number, Pending>()
  // the oldest and the newest Ping of each payload
  private readonly byKey = new Map<string, { oldest: Pending; newest: Pending }>()

  /** Resolves with the time until the Pong in ms; rejects when no Pong can arrive any more. */
  add(payload: Buffer): Promise<number> {
    const { promise, resolve, reject } = new Deferred<number>()
    const key = payload.toString('latin1')
    const ping: Pending = { key, number: this.count++, since: performance.now(), resolve, reject, next: null }
    this.waiting.set(ping.number, ping)
    const same = this.byKey.get(key)
    if (same === undefined) {
      this.byKey.set(key, { oldest: ping, newest: ping })
    } else {
      same.newest.next = ping
      same.newest = ping
    }
    if (this.waiting.size > MOST) this.take().reject(new WebSocketError('WS_ERR_PING_UNANSWERED'))
    return promise
  }

  /** Settles the oldest Ping with this payload and all before it: a peer may answer only the newest of several (RFC 6455 §5.5.3). */
  settle(payload: Buffer): void {
    const answered = this.byKey.get(payload.toString('latin1'))?.oldest
    if (answered === undefined) return
    const now = performance.now()
    while (this.first <= answered.number) {
      const { since, resolve } = this.take()
      resolve(now - since)
    }
  }

  /** Rejects all promises. */
  fail(): void {
    while (this.waiting.size > 0) this.take().reject(new WebSocketError('WS_ERR_NOT_OPEN'))
  }

  /** Removes the oldest. */
  private take(): Pending {
    const ping = this.waiting.get(this.first++)!
    this.waiting.delete(ping.number)
    const same = this.byKey.get(ping.key)!
    if (ping.next === null) this.byKey.delete(ping.key)
    else same.oldest = ping.next
    return ping
  }
}
