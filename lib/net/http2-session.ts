// Opens streams on HTTP/2 sessions that many connections share (RFC 8441), or reports that the server does not support it. Knows nothing of
// what the streams carry.

import { once } from 'node:events'
import type { ClientHttp2Session, ClientHttp2Stream, Settings } from 'node:http2'
import { CANCEL } from '../http2-codes.js'
import { builtin } from '../runtime/builtin.js'
import { ignore, type NodeDuplex } from '../streams.js'
import type { Http2Windows } from './connect-options.js'

/** A stream with its response, or a wire for HTTP/1.1; null if that must be dialled anew. */
export type Http2Outcome = { stream: ClientHttp2Stream } | { http1: NodeDuplex | null }

/** A request for a stream. */
export interface Http2Want {
  /** A key: requests with the same key can share a session. Contains scheme, host, port, and everything dialling depends on. */
  origin: string
  /** Opens a wire for a new session. Over TLS, ALPN must offer `h2` and `http/1.1`; without TLS it is HTTP/2 at once. */
  dial(): NodeDuplex | Promise<NodeDuplex>
  /** Requests the stream. Called only if the server allows it, and again if the server did not process the previous one. */
  request(session: ClientHttp2Session): ClientHttp2Stream
  /** The flow-control windows for each stream and for the session. */
  windows: Http2Windows
  /** Aborts the request; the session ends if no other request waits for it. */
  signal?: AbortSignal | undefined
}

/** The server supports HTTP/2, but gives no stream: HTTP/1.1 would not help. */
export class Http2Failure extends Error {}

/** Maximum attempts for one request if the server does not process it, or the session fails. */
const MOST_TRIES = 4
/** After this many ms of silence, a session is tested with a Ping before it is used again; also the timeout of that Ping. */
const FRESH = 1000
const PING_PATIENCE = 1000
/** Time in ms to wait for a server that allows no streams at present: it may do that "for short periods", RFC 9113 §6.5.2. */
const ROOM_PATIENCE = 1000

/** The protocol found on a wire. */
type Found = { session: ClientHttp2Session } | { http1: true }

/** The sessions of a client, shared by origin. A session ends with its last stream. */
export class Http2Sessions {
  private readonly origins = new Map<string, SharedSession[]>()

  /** Number of sessions that take streams or are being opened. */
  get size(): number {
    let size = 0
    for (const sessions of this.origins.values()) size += sessions.length
    return size
  }

  /**
   * Opens a stream to an origin, on an existing or a new session; resolves when the server has answered on it.
   * @returns rejects with the error of dialling or of `request`, with an Http2Failure, or with the signal's reason
   */
  async open(want: Http2Want): Promise<Http2Outcome> {
    for (let tries = 0; tries < MOST_TRIES; ) {
      want.signal?.throwIfAborted()
      const shared = this.origins.get(want.origin)?.find(session => session.hasRoom) ?? this.begin(want)
      const outcome = await shared.join(want)
      if (typeof outcome === 'object') return outcome
      // other requests took the room; a new session has room for some of the waiting ones, so the loop terminates
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

/** One session, from dialling to the end of its last stream. */
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
  /** When the server last sent something. */
  private heard = 0
  /** A Ping in progress; resolves with whether it is answered in time. */
  private check: Promise<boolean> | null = null

  constructor(
    dial: Http2Want['dial'],
    private readonly windows: Http2Windows,
    private readonly forget: () => void
  ) {
    this.found = this.find(dial)
    // the waiting requests get the error themselves
    this.found.catch(() => this.retire())
  }

  /** Whether another stream may join. The server's limit is not known before the session is open. */
  get hasRoom(): boolean {
    const { isReady, waiting, streams } = this
    if (this.isGone) return false
    // if the server allows no streams at present, another session would not help
    return !isReady || this.limit === 0 || waiting + streams < this.limit
  }

  // RFC 9113 §5.1.2: a stream beyond the limit would wait for another to end
  private get limit(): number {
    return this.session!.remoteSettings.maxConcurrentStreams!
  }

  private get isGone(): boolean {
    const { isRetired, session } = this
    return isRetired || (session !== null && (session.closed || session.destroyed))
  }

  /** Opens a stream on this session; 'full' if it has no room for another, 'refused' if it takes no streams any more. */
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
   * Tests whether the session is usable, and gives it up if not: a TCP connection may have died silently, so a quiet one is tested with a
   * Ping; and a server may allow no streams at present.
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

  /** The server does not answer. Existing streams keep the session, since their timeouts may be longer. */
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

  /** Waits for the response on a stream; 'refused' if the server has not processed the request. */
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
        // RFC 9113 §8.7: the request was not processed, and may be sent again; also for streams beyond the last one of a GOAWAY
        if (stream.rstCode === builtin('node:http2').constants.NGHTTP2_REFUSED_STREAM) resolve('refused')
        else
          reject(
            new Http2Failure(reason?.message ?? 'the server closed the stream without an answer', { cause: reason })
          )
      })
    })
    return unlessAborted(answered, signal).catch(error => {
      stream.close(CANCEL)
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
    // each stream names its own authority
    const session = builtin('node:http2').connect('https://localhost', {
      createConnection: () => wire,
      settings: { enablePush: false, initialWindowSize }
    })
    this.session = session
    this.wire = null
    // destroying a session does not destroy a wire that is not a socket, such as one through a proxy
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

  /** The wire on which the server chose HTTP/1.1; only the first caller gets it. */
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

/** Whether the server speaks HTTP/2. Over TLS, ALPN tells (RFC 9113 §3.2); otherwise it is assumed (§3.3). */
async function choseHttp2(wire: NodeDuplex): Promise<boolean> {
  const secure = wire as NodeDuplex & { alpnProtocol?: string | false | null }
  if (secure.alpnProtocol === undefined) return true
  if (secure.alpnProtocol === null) await beforeEnd(wire, 'secureConnect')
  return secure.alpnProtocol === 'h2'
}

/** Whether a session answers a Ping in time. */
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

/** Resolves with the arguments of an event; rejects if an error or the end comes first. */
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
      patience?.throwIfAborted()
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
