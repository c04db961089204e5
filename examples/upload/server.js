// Stores files of any size: each binary message is a file, which is never held whole in memory. A slow disk slows the client.
//
//   node examples/upload/server.js [folder]
//
// ws://127.0.0.1:8080/upload (or PORT); files of up to LIMIT bytes, 10 GB by default.

import { randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { acceptWebSockets } from 'websocket-duplex'

const { PORT = '8080', LIMIT = '1e10' } = process.env
const [folder = '.'] = process.argv.slice(2)
const limit = Number(LIMIT)

const server = createServer((_request, response) => response.writeHead(426).end('a WebSocket is to be had here\n'))
// a large message may have frames of any size, and any number of them
const limits = { maxMessageSize: limit, maxFrameSize: limit, maxFragments: Infinity }
const acceptor = acceptWebSockets(server, { path: '/upload', ...limits }, async ws => {
  for await (const upload of ws.streams) {
    if (upload.kind === 'text') return ws.close(1003, 'files are binary messages')
    const name = join(folder, `${randomUUID()}.bin`)
    const size = await store(upload, name)
    ws.text(JSON.stringify({ name, size }))
  }
})
acceptor.on('error', (error, { url }) => console.error(url, error.message))

/** A file gets its name when it is complete; an incomplete file is removed. */
async function store(upload, name) {
  const file = createWriteStream(`${name}.part`)
  try {
    await pipeline(upload, file)
    await rename(`${name}.part`, name)
    return file.bytesWritten
  } catch (error) {
    await rm(`${name}.part`, { force: true })
    throw error
  }
}

server.listen(Number(PORT), '127.0.0.1', () => console.log(`upload: ws://127.0.0.1:${server.address().port}/upload`))

process.once('SIGTERM', async () => {
  server.close()
  await acceptor.close({ timeout: 5000 })
})
