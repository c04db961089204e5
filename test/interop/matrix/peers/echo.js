// What a peer written in JavaScript does with input, for any implementation: echoes, and obeys. Knows neither Node nor a page.

export const OFFERED = ['first.choice', 'second.choice']
export const PROTOCOL = 'second.choice'

/** The subprotocol that a server chooses from those of a client. */
export function choose(offered) {
  return [...offered].includes(PROTOCOL) ? PROTOCOL : undefined
}

/**
 * One connection of a peer.
 * @param {object} can - `send(message)`; and if supported `sendPieces(pieces, isText)`, `ping(payload)`, `close(code, reason)`
 * @returns the consumer of its messages and pongs
 */
export function echo(can) {
  let inPieces = false

  return {
    /** A string for text, bytes for binary. */
    message(message) {
      const [, order, words] = /^interop:(\w+) ?(.*)$/s.exec(typeof message === 'string' ? message : '') ?? []
      if (order === undefined) reply(message)
      else if (order === 'pieces') inPieces = true
      else if (order === 'ping') can.ping(words)
      else can.close(Number(words.split(' ')[0]), words.slice(words.indexOf(' ') + 1))
    },
    pong(payload) {
      can.send(`interop:pong ${typeof payload === 'string' ? payload : new TextDecoder().decode(payload)}`)
    }
  }

  function reply(message) {
    if (inPieces) can.sendPieces(pieces(message), typeof message === 'string')
    else can.send(message)
    inPieces = false
  }
}

/** Three pieces, always of bytes, split even within characters. */
function pieces(message) {
  const bytes = typeof message === 'string' ? new TextEncoder().encode(message) : message
  const third = Math.floor(bytes.length / 3)
  return [bytes.subarray(0, third), bytes.subarray(third, 2 * third + 1), bytes.subarray(2 * third + 1)]
}
