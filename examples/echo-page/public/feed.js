// The connection to /stats: samples of what the server sees come in, five a second, and commands go out.

// the server finds a page's connections by this name
const page = crypto.randomUUID()
let connections = 0

const listeners = []
let socket
let opening

/** Opens a connection to an endpoint of the page's own server; its number tells it from the ones before it. */
export function open(path, protocols) {
  const connection = ++connections
  const url = `ws://${location.host}${path}?page=${page}&connection=${connection}`
  return Object.assign(new WebSocket(url, protocols), { connection })
}

/** Calls back with each sample. */
export function onSample(listener) {
  listeners.push(listener)
}

/** Opens the feed where it is not open, and resolves once it is, or cannot be. */
export function openFeed() {
  opening ??= new Promise(resolve => {
    socket = open('/stats')
    socket.onopen = resolve
    socket.onmessage = ({ data }) => {
      const sample = JSON.parse(data)
      for (const listener of listeners) listener(sample)
    }
    socket.onclose = () => {
      // no timer: the user's next action tries again
      opening = undefined
      resolve()
    }
  })
  return opening
}

/** Asks the server for something: `hold`, `release`, or `close` with a code and a reason. */
export async function command(name, parameters) {
  await openFeed()
  socket.send(JSON.stringify({ command: name, ...parameters }))
}
