// The connection to /stats: receives samples of the server's state, five a second, and sends commands.

// the server finds a page's connections by this name
const page = crypto.randomUUID()
let connections = 0

const listeners = []
let socket
let opening

/** Opens a connection to an endpoint of the page's server; its number identifies it in samples. */
export function open(path, protocols) {
  const connection = ++connections
  const url = `ws://${location.host}${path}?page=${page}&connection=${connection}`
  return Object.assign(new WebSocket(url, protocols), { connection })
}

/** Calls `listener` with each sample. */
export function onSample(listener) {
  listeners.push(listener)
}

/** Opens the feed if it is not open; resolves when it is open, or could not be opened. */
export function openFeed() {
  opening ??= new Promise(resolve => {
    socket = open('/stats')
    socket.onopen = resolve
    socket.onmessage = ({ data }) => {
      const sample = JSON.parse(data)
      for (const listener of listeners) listener(sample)
    }
    socket.onclose = () => {
      // no retry: the next action of the user opens it again
      opening = undefined
      resolve()
    }
  })
  return opening
}

/** Sends a command to the server: `hold`, `release`, or `close` with a code and a reason. */
export async function command(name, parameters) {
  await openFeed()
  socket.send(JSON.stringify({ command: name, ...parameters }))
}
