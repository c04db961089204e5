// Run by server.js: opens the given number of connections, a hundred at a time. One in a hundred never reads, like a client on a slow network.

import { connect } from 'websocket-duplex'

const [url, count] = process.argv.slice(2)

for (let made = 0; made < Number(count); made += 100) {
  const some = Array.from({ length: Math.min(100, Number(count) - made) }, () => connect(url))
  const [, ...readers] = some
  // the first one has no listener, so its socket is paused when messages arrive
  for (const ws of readers) ws.on('message', () => {})
  await Promise.all(some.map(ws => ws.opened))
}
process.send('ready')
process.once('disconnect', () => process.exit())
