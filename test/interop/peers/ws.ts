// npm's `ws` as the other side of a conversation.

import type { WebSocket } from 'ws'
import { Inbox } from '../../support/inbox.js'
import type { Message, Talker } from '../converse.js'

/** Takes over a socket of `ws`, which must not have delivered a message yet. */
export function talkerOf(socket: WebSocket): Talker {
  const incoming = new Inbox<Message>()
  const pongs = new Inbox<string>()
  const closed = new Promise<{ code: number; reason: string }>(resolve => {
    socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }))
  })
  socket.on('message', (data: Buffer, isBinary) => incoming.put(isBinary ? data : data.toString()))
  socket.on('pong', payload => pongs.put(payload.toString()))
  closed.then(() => {
    incoming.end()
    pongs.end()
  })
  return {
    // known only when it is open
    get protocol() {
      return socket.protocol
    },
    closed,
    send: message => socket.send(message),
    sendPieces(kind, pieces, between) {
      pieces.forEach((piece, i) => {
        socket.send(piece, { binary: kind === 'binary', fin: i === pieces.length - 1 })
        if (i === 0) between()
      })
    },
    receive: () => incoming.take(),
    async ping(payload) {
      socket.ping(payload)
      const answer = await pongs.take()
      if (answer !== payload) throw new Error(`a ping with '${payload}' was answered with '${answer}'`)
    },
    close: (code, reason) => socket.close(code, reason)
  }
}
