// An origin and a way to dial it come in, a stream of an HTTP/2 session to it comes out (RFC 8441), or word that there is none to be
// had. Many connections share a session. Knows nothing of what goes through the streams.

import { once } from 'node:events'
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2, type Settings } from 'node:http2'
import type { NodeDuplex } from '../streams.js'

/** What came of it: a stream, or a wire on which HTTP/1.1 is spoken; null where that has to be dialled anew. */
export type Http2Outcome = { stream: ClientHttp2Stream } | { http1: NodeDuplex | null }

/** How a stream is asked for. */
export interface Http2Want {
  /** What two of them must have in common to share a session: scheme, host, port, and whatever dialling depends on. */
  origin: string
  /** Opens a wire for a new session. On TLS, ALPN has to offer `h2`, and `http/1.1` besides; without TLS it is HTTP/2 at once. */
  dial(): NodeDuplex | Promise<NodeDuplex>
  /** Makes the stream; is called only where the server allows it. */
  request(session: ClientHttp2Session): ClientHttp2Stream
  /** Gives up; what nobody else waits for then ends. */
  signal?: AbortSignal | undefined
}

/** What was found at the other end of a wire. */
type Found = { session: ClientHttp2Session } | { http1: true }

/** The sessions of a client, shared by origin. A session ends with the last of its streams. */
export class Http2Sessions {
  private readonly origins = new Map<string, SharedSession[]>()

  /** Sessions that take streams, or are being opened. */
  get size(): number {
    let size = 0
    for (const sessions of this.origins.values()) size += sessions.length
    return size
  }

  /**
   * A stream to an origin, on a session that is there or on a new one. Whoever gets it hears of its errors from then on.
   * @returns rejects with what went wrong in dialling or in `request`, or with the signal's reason
   */
  async open(want: Http2Want): Promise<Http2Outcome> {
    for (;;) {
      want.signal?.throwIfAborted()
      const shared = this.origins.get(want.origin)?.find(session => session.hasRoom) ?? this.begin(want)
      const outcome = await shared.join(want)
      if (outcome !== null) return outcome
    }
  }

  private begin({ origin, dial }: Http2Want): SharedSession {
    const shared: SharedSession = new SharedSession(dial, () => this.forget(origin, shared))
    this.origins.set(origin, [...(this.origins.get(origin) ?? []), shared])
    return shared
  }

  private forget(origin: string, gone: SharedSession): void {
    const left = this.origins.get(origin)!.filter(shared => shared !== gone)
    if (left.length > 0) this.origins.set(origin, left)
    else this.origins.delete(origin)
  }
}

/** One session, from the first step of dialling to the end of its last stream. */
class SharedSession {
  private readonly found: Promise<Found>
  private wire: NodeDuplex | null = null
  private session: ClientHttp2Session | null = null
  private isReady = false
  private waiting = 0
  private streams = 0
  private isRetired = false

  constructor(
    dial: Http2Want['dial'],
    private readonly forget: () => void
  ) {
    this.found = this.find(dial)
    // whoever waits for it hears of it
    this.found.catch(() => this.retire())
  }

  /** Whether one more may join. How many streams the server takes is not known before the session is there. */
  get hasRoom(): boolean {
    return !this.isRetired && (!this.isReady || this.waiting + this.streams < this.limit)
  }

  // RFC 9113 §5.1.2: a stream beyond it would wait for another to end
  private get limit(): number {
    const { closed, destroyed, remoteSettings } = this.session!
    return closed || destroyed ? 0 : remoteSettings.maxConcurrentStreams!
  }

  /** A stream of this session; null where it takes none any more. */
  async join({ request, signal }: Http2Want): Promise<Http2Outcome | null> {
    this.waiting++
    try {
      const found = await unlessAborted(this.found, signal)
      if ('http1' in found) return { http1: this.takeWire() }
      if (this.isRetired || this.streams >= this.limit) return null
      return { stream: this.follow(request(found.session)) }
    } finally {
      this.waiting--
      this.endIfUnused()
    }
  }

  private follow(stream: ClientHttp2Stream): ClientHttp2Stream {
    this.streams++
    // the session may break before anybody else listens
    stream.on('error', ignore)
    stream.once('close', () => {
      this.streams--
      this.endIfUnused()
    })
    return stream
  }

  private async find(dial: Http2Want['dial']): Promise<Found> {
    const wire = await dial()
    wire.on('error', ignore)
    if (this.isRetired) {
      wire.destroy()
      throw new Error('nobody waits for it any more')
    }
    this.wire = wire
    if (!(await choseHttp2(wire))) {
      this.retire()
      return { http1: true }
    }
    // the streams name their authority themselves
    const session = connectHttp2('https://localhost', { createConnection: () => wire, settings: { enablePush: false } })
    this.session = session
    this.wire = null
    session.on('error', ignore)
    session.once('goaway', () => this.retire())
    session.once('close', () => this.retire())
    const settings = await firstSettings(session)
    // RFC 8441 §3
    if (settings.enableConnectProtocol !== true) {
      this.retire()
      session.close()
      return { http1: true }
    }
    this.isReady = true
    return { session }
  }

  /** The wire on which the server chose HTTP/1.1, for the first who comes. */
  private takeWire(): NodeDuplex | null {
    const { wire } = this
    this.wire = null
    return wire === null || wire.destroyed ? null : wire
  }

  /** Takes no more streams. */
  private retire(): void {
    if (this.isRetired) return
    this.isRetired = true
    this.forget()
  }

  private endIfUnused(): void {
    if (this.waiting > 0 || this.streams > 0) return
    this.retire()
    this.wire?.destroy()
    if (this.isReady) this.session!.close()
    else this.session?.destroy()
  }
}

/** Whether the other side speaks HTTP/2, which only TLS tells (RFC 9113 §3.2); elsewhere it is known before (§3.3). */
async function choseHttp2(wire: NodeDuplex): Promise<boolean> {
  const secure = wire as NodeDuplex & { alpnProtocol?: string | false | null }
  if (secure.alpnProtocol === undefined) return true
  if (secure.alpnProtocol === null) await beforeEnd(wire, 'secureConnect')
  return secure.alpnProtocol === 'h2'
}

async function firstSettings(session: ClientHttp2Session): Promise<Settings> {
  const [settings] = await beforeEnd(session, 'remoteSettings')
  return settings as Settings
}

/** The arguments of an event; rejects where there is an error or an end before it. */
function beforeEnd(emitter: NodeJS.EventEmitter & { destroyed?: boolean }, event: string): Promise<unknown[]> {
  const control = new AbortController()
  const lost = (): void => control.abort()
  emitter.once('close', lost)
  if (emitter.destroyed) lost()
  return once(emitter, event, { signal: control.signal })
    .catch(error => {
      // an error is followed by an end, and says more
      throw error.name === 'AbortError' ? new Error('the connection was closed') : error
    })
    .finally(() => emitter.off('close', lost))
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

function ignore(): void {}
