// A recipe, one client that does not read, and one that sends 110 MB. Prints how much was sent, and how much the server held for the first.
//
//   node stalled.js RECIPE PATH HEADERS

import { once } from 'node:events'
import { connect } from 'websocket-duplex'

const [recipe, path, headers] = process.argv.slice(2)
const { acceptor, app, rooms, server = app.server } = await import(recipe)
if (!server.listening) await once(server, 'listening')
const url = `ws://127.0.0.1:${server.address().port}/${path}`
const options = { headers: JSON.parse(headers), keepalive: false }

const stalled = connect(url, options)
await stalled.opened
// its messages are not read: after 64 KiB it stops reading its socket
const speaker = connect(url, options)
await speaker.opened

const text = 'x'.repeat(100_000)
let broadcast = 0
let held = 0
for await (const message of speaker.messages) {
  // the greeting comes first
  if (message.length > text.length) broadcast += text.length
  for (const ws of acceptor.connections) held = Math.max(held, ws.bufferedAmount)
  if (broadcast > 110e6) break
  speaker.text(text)
}
stalled.destroy()
await Promise.all([...acceptor.connections].map(ws => ws.whenClosed()))
await new Promise(setImmediate)
console.log(JSON.stringify({ broadcast, held, rooms: rooms?.size ?? 0 }))
process.exit()
