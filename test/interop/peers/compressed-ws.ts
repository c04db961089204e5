// npm's `ws` with its compression, as an echo that uses all of its ways to send: whole, in fragments with pings between them, and uncompressed.

import type { WebSocket } from 'ws'
import { random } from '../../support/frames.js'
import { cutAtRandom, type Echo } from '../compressed-talk.js'

/** Echoes from now on. */
export function echo(socket: WebSocket, seed = 1): Echo {
  const next = random(seed)
  const seen: Echo = { pings: 0, pongs: 0, errors: [] }
  let count = 0
  socket.on('error', error => seen.errors.push(error.message))
  socket.on('pong', () => seen.pongs++)
  socket.on('message', (data: Buffer, binary) => {
    // one of four messages is not compressed; every other one is in pieces
    const compress = count % 4 !== 2
    const pieces = count++ % 2 === 0 ? [data] : cutAtRandom(data, next)
    for (const [i, piece] of pieces.entries()) {
      const fin = i === pieces.length - 1
      socket.send(piece, { binary, compress, fin })
      if (fin) break
      seen.pings++
      socket.ping(`behind ${piece.length}`)
    }
  })
  return seen
}
