// Run as a process: how much longer a head takes, fed byte by byte, that is several times as long.

import { ProxyTunnel, WebSocketStream } from '../../../lib/index.js'
import { growth, say } from './measure.js'

const factor = Number(process.argv[2])
const SIZE = 65536 / factor
const none = { maxHeaderSize: Number.POSITIVE_INFINITY, maxHeaders: Number.POSITIVE_INFINITY }

const SHAPES: Record<string, (size: number) => string> = {
  'one line': size => `A: ${'b'.repeat(size)}`,
  'many lines': size => 'A: b\r\n'.repeat(size / 6)
}

interface Reader {
  write(bytes: Buffer): unknown
  destroy(): unknown
}

const READERS: Record<string, () => Reader> = {
  server: () => start(WebSocketStream.server(none), 'GET / HTTP/1.1\r\n'),
  client: () => start(WebSocketStream.client('ws://a/', none).resume(), 'HTTP/1.1 101 Yes\r\n'),
  tunnel: () => start(new ProxyTunnel('a:80', none), 'HTTP/1.1 200 OK\r\n')
}

function start<R extends Reader>(reader: R, line: string): R {
  // a client sends its request in the next turn
  setImmediate(() => reader.write(Buffer.from(line)))
  return reader
}

async function drip(make: () => Reader, text: string): Promise<void> {
  const reader = make()
  await new Promise(setImmediate)
  await new Promise(setImmediate)
  for (let i = 0; i < text.length; i++) reader.write(Buffer.from([text.charCodeAt(i)]))
  reader.destroy()
}

// the time if all bytes so far, or a sixteenth of them, were read again for each byte
function search(text: string): void {
  const bytes = Buffer.from(text)
  let ends = 0
  for (let i = 0; i < bytes.length; i++) {
    for (let j = i; j >= 0; j -= 16) if (bytes[j] === 13) ends++
  }
  if (ends > 0) throw new Error('a line that should not be there')
}

const results: Record<string, number> = {}
for (const [reader, make] of Object.entries(READERS)) {
  for (const [shape, textOf] of Object.entries(SHAPES)) {
    results[`${reader}, ${shape}`] = await growth(size => drip(make, textOf(size)), SIZE, factor)
  }
}
results['control'] = await growth(size => search(SHAPES['one line']!(size)), SIZE, factor)
say(results)
