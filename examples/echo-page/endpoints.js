// The WebSocket endpoints. Each gets a connection whose handshake is not answered yet, and the session of its page.

import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout } from 'node:timers/promises'

/** The subprotocols of /echo. Without one, text comes back unchanged too. */
export const PROTOCOLS = ['echo.duplex', 'echo.upper']

const SAMPLE_INTERVAL = 200

/** Sends everything back; with the subprotocol `echo.upper`, text in capitals. */
export async function echo(ws, session) {
  session.echo = session.follow(ws)
  try {
    const { protocol } = await ws.opened
    if (protocol === 'echo.upper') ws.messages.pipe(upperCase()).pipe(ws.messages)
    else ws.messages.pipe(ws.messages)
  } catch {
    // the handshake failed
  }
}

/** The stream carries a string for each text message, and a Buffer for each binary one. */
function upperCase() {
  return new Transform({
    objectMode: true,
    transform(message, _encoding, callback) {
      callback(null, typeof message === 'string' ? message.toUpperCase() : message)
    }
  })
}

/** Refuses any other path. With a `request` listener the application answers; without one, a valid request is accepted. */
export function refuse(ws, session) {
  session.echo = session.follow(ws)
  session.echo.refusal = '404: there is no WebSocket at this path'
  ws.on('request', () => ws.reject(404))
}

/**
 * Counts messages, and asks for the next one only when the page allows it. Until then the stages fill up to their highWaterMark, the socket
 * is no longer read, the kernel's buffers fill, TCP makes the browser wait, and the page sees a growing `bufferedAmount`.
 */
export async function flood(ws, session, { socket, head }) {
  const record = session.follow(ws)
  session.flood = Object.assign(record, {
    socket,
    // bytes before the flood: those that the HTTP parser read, without `head`
    start: socket.bytesRead - head.length,
    consumed: 0,
    frames: 0
  })
  session.hold()
  try {
    for await (const message of ws.messages) {
      await session.mayRead()
      use(record, message)
    }
  } catch {
    // the connection was lost
  }
}

function use(record, message) {
  record.consumed += message.length
  record.frames += frameSize(message.length)
}

/** Bytes on the wire of an unfragmented message from a client: header, mask, payload (RFC 6455 §5.2). */
function frameSize(payload) {
  const header = payload < 126 ? 2 : payload < 65536 ? 4 : 10
  return header + 4 + payload
}

/** Sends samples of the session, and obeys the page's commands: one pipeline in both directions, until the page is closed. */
export async function stats(ws, session) {
  session.feed = ws
  try {
    await ws.opened
    await pipeline(
      () => samples(ws, session),
      ws.messages,
      messages => obey(messages, session)
    )
  } catch {
    // the handshake failed, or the connection was lost
  }
}

/** The pipeline asks for a sample only when the last one has been sent: a slow page gets fewer samples, not a backlog. */
async function* samples(ws, session) {
  while (ws.readyState === 'open') {
    yield session.sample()
    await setTimeout(SAMPLE_INTERVAL)
  }
}

async function obey(messages, session) {
  for await (const message of messages) {
    try {
      const { command, code, reason } = JSON.parse(message)
      if (command === 'hold') session.hold()
      else if (command === 'release') session.release()
      else if (command === 'close') session.echo?.ws.close(code, reason)
      session.problem = ''
    } catch (error) {
      // not JSON, or an invalid close code: the next sample reports it
      session.problem = error.message
    }
  }
}
