// An origin and a way to dial it come in, a stream of an HTTP/2 session to it comes out (RFC 8441), or word that there is none to be
// had. Many connections share a session. Knows nothing of what goes through the streams.

import { once } from 'node:events'
import type { ClientHttp2Session, ClientHttp2Stream, Settings } from 'node:http2'
import { builtin } from '../runtime/builtin.js'
import type { NodeDuplex } from '../streams.js'
import type { Http2Windows } from './connect-options.js'

/** What came of it: a stream that was answered, or a wire on which HTTP/1.1 is spoken; null where that has to be dialled anew. */
export type Http2Outcome = { stream: ClientHttp2Stream } | { http1: NodeDuplex | null }

/** How a stream is asked for. */
export interface Http2Want {
  /** What two of them must have in common to share a session: scheme, host, port, and whatever dialling depends on. */
  origin: string
  /** Opens a wire for a new session. On TLS, ALPN has to offer `h2`, and `http/1.1` besides; without TLS it is HTTP/2 at once. */
  dial(): NodeDuplex | Promise<NodeDuplex>
  /** Makes the stream; is called only where the server allows it, and again where it did not look at the one before. */
  request(session: ClientHttp2Session): ClientHttp2Stream
  /** How much the server may send ahead, on each stream and on the session. */
  windows: Http2Windows
  /** Gives up; the session ends if no other call waits for it. */
  signal?: AbortSignal | undefined
}

/** The server speaks HTTP/2, and gives no stream of it: HTTP/1.1 would not help. */
export class Http2Failure extends Error {}

/** Tries of one request that a server did not look at, or whose session was not to be had. */
const MOST_TRIES = 4
/** Milliseconds of silence after which a session is asked whether it lives before it is used again, and for its answer. */
const FRESH = 1000
const PING_PATIENCE = 1000
/** Milliseconds that a server which allows no streams at present has to allow some: it may do that "for short periods", RFC 9113 §6.5.2. */
const ROOM_PATIENCE = 1000

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
   * A stream to an origin, on a session that is there or on a new one, as soon as the server has answered on it.
   * @returns rejects with what went wrong in dialling or in `request`, with an Http2Failure, or with the signal's reason
   */
  async open(want: Http2Want): Promise<Http2Outcome> {
    for (let tries = 0; tries < MOST_TRIES; ) {
      want.signal?.throwIfAborted()
      const shared = this.origins.get(want.origin)?.find(session => session.hasRoom) ?? this.begin(want)
      const outcome = await shared.join(want)
      if (typeof outcome === 'object') return outcome
      // others were quicker: the next session has room for some of those that wait, so this comes to an end
      if (outcome !== 'full') tries++
    }
    throw new Http2Failure('the server refused every stream of HTTP/2')
  }

  private begin({ origin, dial, windows }: Http2Want): SharedSession {
    const shared: SharedSession = new SharedSession(dial, windows, () => this.forget(origin, shared))
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
  private isDead = false
  /** Ends the session and its wire at once. */
  private cut: () => void = ignore
  /** When the server was last heard. */
  private heard = 0
  /** A ping that is under way, and whether it is answered in time. */
  private check: Promise<boolean> | null = null

  constructor(
    dial: Http2Want['dial'],
    private readonly windows: Http2Windows,
    private readonly forget: () => void
  ) {
    this.found = this.find(dial)
    // those who wait for it hear of it
    this.found.catch(() => this.retire())
  }

  /** Whether one more may join. How many streams the server takes is not known before the session is there. */
  get hasRoom(): boolean {
    const { isReady, waiting, streams } = this
    if (this.isGone) return false
    // where the server takes none at present, another session would not help
    return !isReady || this.limit === 0 || waiting + streams < this.limit
  }

  // RFC 9113 §5.1.2: a stream beyond it would wait for another to end
  private get limit(): number {
    return this.session!.remoteSettings.maxConcurrentStreams!
  }

  private get isGone(): boolean {
    const { isRetired, session } = this
    return isRetired || (session !== null && (session.closed || session.destroyed))
  }

  /** A stream of this session; 'full' where it takes none beside those it has, 'refused' where it takes none any more. */
  async join({ request, signal }: Http2Want): Promise<Http2Outcome | 'full' | 'refused'> {
    this.waiting++
    try {
      const found = await unlessAborted(this.found, signal)
      if ('http1' in found) return { http1: this.takeWire() }
      await unlessAborted(this.examine(), signal)
      if (this.isGone) return 'refused'
      if (this.streams >= this.limit) return 'full'
      return await this.ask(request(found.session), signal)
    } finally {
      this.waiting--
      this.endIfUnused()
    }
  }

  /**
   * Looks whether the session is of use, and gives it up where it is not: a connection of TCP may have died in silence, so one that was
   * quiet is asked first; and a server may allow no streams at present.
   */
  private async examine(): Promise<void> {
    if (!this.isGone && performance.now() - this.heard >= FRESH) {
      this.check ??= pong(this.session!).finally(() => {
        this.check = null
      })
      if (await this.check) this.heard = performance.now()
      else this.giveUp()
    }
    if (!this.isGone && this.limit === 0) await this.room()
  }

  /** The server does not answer. Streams that are on the session may have more patience. */
  private giveUp(): void {
    this.isDead = true
    this.retire()
  }

  /** Resolves when the server allows streams. */
  private async room(): Promise<void> {
    const signal = AbortSignal.timeout(ROOM_PATIENCE)
    try {
      while (this.limit === 0) await beforeEnd(this.session!, 'remoteSettings', signal)
    } catch (cause) {
      this.retire()
      throw new Http2Failure('the server of HTTP/2 allows no streams at present', { cause })
    }
  }

  /** Waits for the answer on a stream; 'refused' where the server has not looked at it. */
  private ask(
    stream: ClientHttp2Stream,
    signal: AbortSignal | undefined
  ): Promise<{ stream: ClientHttp2Stream } | 'refused'> {
    let reason: Error | undefined
    this.streams++
    stream.on('error', error => {
      reason = error
    })
    stream.once('close', () => {
      this.streams--
      this.endIfUnused()
    })
    const answered = new Promise<{ stream: ClientHttp2Stream } | 'refused'>((resolve, reject) => {
      stream.once('response', () => {
        this.heard = performance.now()
        resolve({ stream })
      })
      stream.once('close', () => {
        // RFC 9113 §8.7: such a request was not processed, and may be sent again; streams beyond the last one of a GOAWAY end likewise
        if (stream.rstCode === builtin('node:http2').constants.NGHTTP2_REFUSED_STREAM) resolve('refused')
        else
          reject(
            new Http2Failure(reason?.message ?? 'the server closed the stream without an answer', { cause: reason })
          )
      })
    })
    return unlessAborted(answered, signal).catch(error => {
      stream.close(builtin('node:http2').constants.NGHTTP2_CANCEL)
      throw error
    })
  }

  private async find(dial: Http2Want['dial']): Promise<Found> {
    const wire = await dial()
    wire.on('error', ignore)
    if (this.isRetired) {
      wire.destroy()
      throw new Error('no call waits for this session any more')
    }
    this.wire = wire
    if (!(await choseHttp2(wire))) {
      this.retire()
      return { http1: true }
    }
    const session = this.connectOver(wire)
    const settings = await firstSettings(session)
    // RFC 8441 §3
    if (settings.enableConnectProtocol !== true) {
      this.retire()
      session.close()
      return { http1: true }
    }
    this.isReady = true
    this.heard = performance.now()
    return { session }
  }

  private connectOver(wire: NodeDuplex): ClientHttp2Session {
    const { initialWindowSize, connectionWindowSize } = this.windows
    // the streams name their authority themselves
    const session = builtin('node:http2').connect('https://localhost', {
      createConnection: () => wire,
      settings: { enablePush: false, initialWindowSize }
    })
    this.session = session
    this.wire = null
    // a session leaves streams alone that are no sockets, as those through a proxy
    this.cut = () => {
      session.destroy()
      wire.destroy()
    }
    session.once('close', this.cut)
    session.once('connect', () => session.destroyed || session.setLocalWindowSize(connectionWindowSize))
    session.on('error', ignore)
    session.once('goaway', () => this.retire())
    session.once('close', () => this.retire())
    return session
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
    if (this.isReady && !this.isDead) this.session!.close()
    else this.cut()
  }
}

/** Whether the other side speaks HTTP/2, which only TLS tells (RFC 9113 §3.2); elsewhere it is known before (§3.3). */
async function choseHttp2(wire: NodeDuplex): Promise<boolean> {
  const secure = wire as NodeDuplex & { alpnProtocol?: string | false | null }
  if (secure.alpnProtocol === undefined) return true
  if (secure.alpnProtocol === null) await beforeEnd(wire, 'secureConnect')
  return secure.alpnProtocol === 'h2'
}

/** Whether a session answers a ping in time. */
function pong(session: ClientHttp2Session): Promise<boolean> {
  return new Promise(resolve => {
    const late = setTimeout(() => resolve(false), PING_PATIENCE)
    session.ping(error => {
      clearTimeout(late)
      resolve(error === null)
    })
  })
}

async function firstSettings(session: ClientHttp2Session): Promise<Settings> {
  const [settings] = await beforeEnd(session, 'remoteSettings')
  return settings as Settings
}

/** The arguments of an event; rejects where there is an error or an end before it. */
function beforeEnd(
  emitter: NodeJS.EventEmitter & { destroyed?: boolean },
  event: string,
  patience?: AbortSignal
): Promise<unknown[]> {
  const control = new AbortController()
  const lost = (): void => control.abort()
  emitter.once('close', lost)
  if (emitter.destroyed) lost()
  const signal = patience === undefined ? control.signal : AbortSignal.any([control.signal, patience])
  return once(emitter, event, { signal })
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
