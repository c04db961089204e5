// Started by server.js: opens that many connections, a hundred at a time. One in a hundred never reads, as on a network that is too slow.

import { connect } from 'websocket-duplex'

const [url, count] = process.argv.slice(2)

for (let made = 0; made < Number(count); made += 100) {
  const some = Array.from({ length: Math.min(100, Number(count) - made) }, () => connect(url))
  const [, ...readers] = some
  // the first one has no listener, so its socket is paused as soon as a message arrives
  for (const ws of readers) ws.on('message', () => {})
  await Promise.all(some.map(ws => ws.opened))
}
process.send('ready')
process.once('disconnect', () => process.exit())
