// Many receivers of a broadcast: sockets and nothing else. What each of them gets is compared with what it should be, byte by byte.

import net from 'node:net'
import { control } from '../control.js'
import { upgradeRequest } from '../wire.js'

const REQUEST = upgradeRequest()
const sockets = []
let expected = null
let missing = 0
let done = null

function dial(port) {
  return new Promise((resolve, reject) => {
    const one = { at: 0, head: '' }
    const socket = net.connect({ port, host: '127.0.0.1' }, () => socket.write(REQUEST))
    socket.on('error', reject)
    socket.on('data', chunk => {
      if (one.head !== null) {
        one.head += chunk.latin1Slice()
        if (!one.head.includes('\r\n\r\n')) return
        one.head = null
        resolve(sockets.push(one))
      } else {
        take(one, chunk)
      }
    })
  })
}

/** `expected` is one message, and comes again and again. */
function take(one, chunk) {
  for (let at = 0; at < chunk.length; ) {
    const size = Math.min(chunk.length - at, expected.length - one.at)
    if (expected.compare(chunk, at, at + size, one.at, one.at + size) !== 0) throw new Error('wrong bytes')
    at += size
    one.at = (one.at + size) % expected.length
  }
  missing -= chunk.length
  if (missing === 0) done?.()
}

control({
  async hold({ port, count }) {
    for (let made = 0; made < count; made += 100) {
      await Promise.all(Array.from({ length: Math.min(100, count - made) }, () => dial(port)))
    }
    return sockets.length
  },

  expect({ text, count }) {
    const header = text.length < 126 ? [0x81, text.length] : [0x81, 126, text.length >> 8, text.length & 255]
    expected = Buffer.concat([Buffer.from(header), Buffer.from(text)])
    missing = expected.length * sockets.length * count
    done = null
    return {}
  },

  received: () => (missing === 0 ? {} : new Promise(resolve => (done = () => resolve({}))))
})
