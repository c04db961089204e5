// The load's streams of HTTP/2 (RFC 8441), by node:http2 and nothing else: a session in, and streams of it that are open for WebSocket
// frames out. The frames, and what answers must be, are load.js's.

import { once } from 'node:events'
import http2 from 'node:http2'

/** Bytes that a server may send ahead, on a stream and on the session: more than any window of the load, so that it never waits for room. */
const ROOM = 2 ** 26

/** A session with a server that takes WebSockets on its streams. */
export async function openSession(port, secure) {
  const session = http2.connect(`${secure ? 'https' : 'http'}://127.0.0.1:${port}`, {
    rejectUnauthorized: false,
    settings: { enablePush: false, initialWindowSize: ROOM }
  })
  // RFC 8441 §3: no extended CONNECT before the server has said that it takes them
  const [settings] = await once(session, 'remoteSettings')
  if (!settings.enableConnectProtocol) throw new Error('the server takes no extended CONNECT')
  session.setLocalWindowSize(ROOM)
  return session
}

/** One stream of the session, opened: what it reads goes to `onBytes(bytes, length)`. */
export function openStream(session, onBytes) {
  const stream = session.request(
    { ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/', 'sec-websocket-version': '13' },
    { endStream: false }
  )
  stream.on('data', chunk => onBytes(chunk, chunk.length))
  return new Promise((resolve, reject) => {
    stream.on('error', reject)
    stream.on('close', () => reject(new Error('closed before it was opened')))
    stream.on('response', headers => {
      if (headers[':status'] === 200) resolve(stream)
      else reject(new Error(`not opened: ${headers[':status']}`))
    })
  })
}

export async function closeSession(session) {
  const closed = once(session, 'close')
  session.close()
  await closed
}
