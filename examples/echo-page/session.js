// The server's state of one page: its connections, the state of its echo connection, and how much of its flood is buffered. Knows neither
// paths nor HTTP; endpoints.js fills it in.

const OPEN_ENDED = { version: '', protocol: '', closed: null }

export class Session {
  /** All connections of the page that have not ended, each with the number that the page gave it. */
  connections = new Map()
  /** The page's latest connection to /echo, kept after its end so that the page can show how it ended. */
  echo = null
  /** The page's latest connection to /flood. */
  flood = null
  /** The memory of the process of keeper.js, and the bytes it keeps; null if it has not reported them. */
  keeper = null
  /** Holds a promise that resolves when the server may read; null if it may. */
  #reading = null
  /** The connection on which samples are sent. */
  feed = null
  /** Why the page's last command failed; '' if it did not. */
  problem = ''

  get isEmpty() {
    return this.connections.size === 0
  }

  join(ws, number) {
    this.connections.set(ws, number)
  }

  leave(ws) {
    this.connections.delete(ws)
    if (ws !== this.feed) return
    // Without the feed, the page can no longer allow reading; and a socket that is not read never reports its end.
    this.feed = null
    this.release()
  }

  /** Follows a connection from its handshake to its end; returns its record for the samples. */
  follow(ws) {
    this.problem = ''
    const record = { ws, connection: this.connections.get(ws), ...OPEN_ENDED }
    ws.opened.then(
      ({ version, protocol }) => Object.assign(record, { version, protocol }),
      // a failed handshake: `closed` says how
      () => {}
    )
    ws.whenClosed().then(closed => Object.assign(record, { closed }))
    return record
  }

  hold() {
    if (this.#reading) return
    const reading = {}
    reading.allowed = new Promise(resolve => {
      reading.allow = resolve
    })
    this.#reading = reading
  }

  release() {
    this.#reading?.allow()
    this.#reading = null
  }

  /** Resolves when the page lets the server read. */
  mayRead() {
    return this.#reading?.allowed
  }

  /** A sample: the state as JSON. */
  sample() {
    return JSON.stringify({
      rss: process.memoryUsage.rss(),
      keeper: this.keeper,
      problem: this.problem,
      echo: this.echo && describe(this.echo),
      flood: this.flood && { ...describe(this.flood), ...measure(this.flood) }
    })
  }

  /** Closes all connections of the page, the feed last, so that the page still learns how the others ended. */
  async end(code, reason) {
    // The browser's Close arrives after all its data, so the server must read.
    this.release()
    const { feed } = this
    const others = [...this.connections.keys()].filter(ws => ws !== feed)
    for (const ws of others) ws.close(code, reason)
    await Promise.all(others.map(ws => ws.whenClosed()))
    if (!feed) return
    feed.text(this.sample())
    feed.close(code, reason)
    await feed.whenClosed()
  }
}

function describe({ ws, connection, version, protocol, closed, refusal = '' }) {
  return { connection, state: ws.readyState, version, protocol, closed, refusal }
}

/** The bytes of a flood: read from the socket; of those, used by the application, and still buffered. */
function measure({ socket, start, consumed, frames, ws }) {
  const received = socket.bytesRead - start
  const held = ws.readyState === 'closed' ? 0 : Math.max(0, received - frames)
  return { received, consumed, held }
}
