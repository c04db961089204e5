// What the server remembers of one page: which connections it has, how its echo connection stands, and how much of its
// flood is held. It knows nothing of paths or of HTTP; endpoints.js fills it in.

const OPEN_ENDED = { version: '', protocol: '', closed: null }

export class Session {
  /** All connections of the page that are not over yet, each with the number that the page gave it. */
  connections = new Map()
  /** The page's latest connection to /echo, kept after its end so that the page can show how it ended. */
  echo = null
  /** The page's latest connection to /flood. */
  flood = null
  /** How large the process of keeper.js is, and what it keeps; null where it has not said. */
  keeper = null
  /** Resolves when the server may read; null where it may. */
  #reading = null
  /** The connection that carries samples of all this. */
  feed = null
  /** Why the page's last command failed, if it did. */
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
    // The page is gone, or cannot tell us any more when to read. A socket that nobody reads never reports its end, so
    // held reading must not outlive the page.
    this.feed = null
    this.release()
  }

  /** Follows a connection from its handshake to its end, and returns the record that samples show of it. */
  follow(ws) {
    this.problem = ''
    const record = { ws, connection: this.connections.get(ws), ...OPEN_ENDED }
    ws.opened.then(
      ({ version, protocol }) => Object.assign(record, { version, protocol }),
      // the handshake was refused; `whenClosed()` tells how the connection ended
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

  /** The state of it all, as the text of one message. */
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
    // The browser's Close is behind everything that it sent before, so a server that does not read does not see it.
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

/** Where the bytes of a flood are: read from the socket, and of those, used by the application or still held. */
function measure({ socket, start, consumed, frames, ws }) {
  const received = socket.bytesRead - start
  const held = ws.readyState === 'closed' ? 0 : Math.max(0, received - frames)
  return { received, consumed, held }
}
