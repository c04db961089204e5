// Run as a process: how much longer the library takes for lists in header fields that are several times as long.

import { WebSocketStream } from '../../../lib/index.js'
import { requestWith } from '../support.js'
import { growth, say } from './measure.js'

const factor = Number(process.argv[2])
const SIZE = 65536 / factor

const VALUES: Record<string, (size: number) => string> = {
  'backslashes in quotes': size => `a; b="${'\\'.repeat(size)}`,
  'escaped letters in quotes': size => `a; b="${'\\a'.repeat(size / 2)}"`,
  spaces: size => `a${' '.repeat(size)}b`,
  commas: size => `a${' ,'.repeat(size / 2)}`,
  parameters: size => `a${'; b'.repeat(size / 3)}`
}
const NAMES = ['Sec-WebSocket-Extensions', 'Sec-WebSocket-Protocol', 'Connection', 'X-Other']
const options = { maxHeaderSize: Number.POSITIVE_INFINITY, origins: ['http://a'], protocols: ['b'] }

async function ask(name: string, value: string): Promise<void> {
  const ws = WebSocketStream.server(options)
  ws.write(requestWith({ [name]: value }))
  await after(ws)
}

async function answer(name: string, value: string): Promise<void> {
  const { origins: _, ...rest } = options
  const ws = WebSocketStream.client('ws://a/', rest)
  ws.resume()
  await new Promise(setImmediate)
  ws.write(`HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${name}: ${value}\r\n\r\n`)
  await after(ws)
}

async function after(ws: WebSocketStream): Promise<void> {
  await new Promise(setImmediate)
  ws.destroy()
  await ws.whenClosed()
}

const results: Record<string, number> = {}
for (const [kind, make] of Object.entries(VALUES)) {
  for (const name of NAMES) {
    results[`server, ${name}, ${kind}`] = await growth(size => ask(name, make(size)), SIZE, factor)
  }
  for (const name of NAMES.slice(0, 3)) {
    results[`client, ${name}, ${kind}`] = await growth(size => answer(name, make(size)), SIZE, factor)
  }
}
// as in CVE-2021-32640
results['control'] = await growth(size => VALUES['spaces']!(size).split(/ *, */), SIZE / 2, factor)
say(results)
