// A server for the clients under test: it answers the handshake and knows from the path how long every frame is, so an
// answer is a matter of counting. The first window of each connection is unmasked and compared.

import net from 'node:net'
import { control } from '../control.js'
import { closeFrame, frame, frameSize, opcodeOf, payload, unframe, upgradeResponse } from '../wire.js'

const CLOSE = closeFrame(false)
let wrong = 0

/** One connection, its head read: `chunk` is what came behind it. */
function serve(socket, kind, size) {
  const bytes = payload(kind, size)
  const question = frameSize(size, true)
  const answer = frame(bytes, opcodeOf(kind))
  const answers = Buffer.concat(
    Array.from({ length: Math.max(1, Math.min(128, Math.floor(2 ** 20 / size))) }, () => answer)
  )
  let held = 0
  let first = []
  let checked = 0
  return chunk => {
    if (first) {
      first.push(chunk)
      checked += chunk.length
      if (checked >= question) {
        const all = Buffer.concat(first)
        const [{ payload }] = unframe(all.subarray(0, question))
        if (!payload.equals(bytes)) wrong++
        first = null
      }
    }
    held += chunk.length
    let count = Math.floor(held / question)
    held -= count * question
    // A close frame, eight bytes or six, is shorter than any question and comes when nothing else is on its way.
    if (count === 0 && chunk.length <= 10 && held === chunk.length && (chunk[0] & 0x0f) === 8) return socket.end(CLOSE)
    while (count > 0) {
      const some = Math.min(count, answers.length / answer.length)
      socket.write(answers.subarray(0, some * answer.length))
      count -= some
    }
  }
}

const server = net.createServer({ noDelay: true }, socket => {
  let head = ''
  socket.on('error', () => {})
  socket.on('data', function read(chunk) {
    head += chunk.toString('latin1')
    const end = head.indexOf('\r\n\r\n')
    if (end < 0) return
    const [, kind, size] = /^GET \/(\w+)\/(\d+)/.exec(head)
    socket.off('data', read)
    socket.write(upgradeResponse(head))
    const echo = serve(socket, kind, Number(size))
    socket.on('data', echo)
    const rest = Buffer.from(head.slice(end + 4), 'latin1')
    if (rest.length) echo(rest)
  })
})

control({
  listen: () => new Promise(resolve => server.listen(0, '127.0.0.1', 4096, () => resolve(server.address().port))),
  wrong: () => wrong
})
