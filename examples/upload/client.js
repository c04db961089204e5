// Sends a file, shows the progress, and prints the name that the server gave it.
//
//   node examples/upload/client.js ws://127.0.0.1:8080/upload FILE

import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { connect, jsonMessages } from 'websocket-duplex'

const [url, path] = process.argv.slice(2)
if (path === undefined) {
  console.error('usage: client.js <ws://host/upload> <file>')
  process.exit(1)
}

const { size } = await stat(path)
const ws = connect(url)
const answers = jsonMessages(ws)

const file = createReadStream(path, { highWaterMark: 2 ** 18 })
// in percent: bytes read from the file that the wire has taken
const progress = () => Math.floor((100 * (file.bytesRead - ws.bufferedAmount)) / (size || 1))
const timer = setInterval(() => console.error(`${progress()} %`), 500)

try {
  await pipeline(file, ws.createMessage('binary'))
  for await (const { name, size } of answers) {
    console.log(`${name}: ${size} bytes`)
    break
  }
} finally {
  clearInterval(timer)
}
