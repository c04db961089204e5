// Runs in the page: a client and a server on one wire, of the package as bundled for a browser. Each conversation returns
// what both sides have seen, for the test to check.

import { CloseCode, Opcode, WebSocketStream } from 'websocket-duplex'
import { pair, ports } from './wires.js'

const WIRES = { pair, ports }

/** One side is piped and one attached, since the two ways share little code. */
function join(wire, options) {
  const [left, right] = WIRES[wire]()
  const server = WebSocketStream.server({ protocols: ['chat'], ...options })
  const client = WebSocketStream.client('ws://localhost/chat?a=b', { protocols: ['other', 'chat'] })
  left.pipe(server).pipe(left)
  client.attach(right)
  return { client, server, left, right }
}

const close = async ({ client, server }, code = 1000, reason = '') => {
  client.close(code, reason)
  return { client: await client.whenClosed(), server: await server.whenClosed() }
}

const sum = bytes => bytes.reduce((total, byte) => (total * 31 + byte) >>> 0, bytes.length)
const pattern = size => Uint8Array.from({ length: size }, (_, i) => (i * 7 + (i >> 8)) & 255)

const errorOf = ws => new Promise(resolve => ws.once('error', ({ code }) => resolve(code)))

const CONVERSATIONS = {
  async handshake(wire) {
    const sides = join(wire)
    const request = new Promise(resolve => sides.server.once('open', () => resolve(sides.server.request)))
    const { version, protocol, status } = await sides.client.opened
    const { url, headers } = await request
    return { version, protocol, status, url, host: headers.host, ended: await close(sides) }
  },

  async text(wire) {
    const sides = join(wire)
    const { client, server } = sides
    server.messages.pipe(server.messages)
    const texts = [
      '',
      'hello',
      'Grüße, 世界 😀',
      'x'.repeat(5000),
      'ü😀'.repeat(50_000),
      '\ufeffmark',
      'half \ud800 pair'
    ]
    for (const text of texts) client.messages.write(text)
    const same = []
    for await (const text of client.messages) {
      same.push(text === texts[same.length].toWellFormed())
      if (same.length === texts.length) break
    }
    return { same, ended: await close(sides) }
  },

  async binary(wire) {
    const sides = join(wire)
    const { client, server } = sides
    server.on('message', message => server.binary(message))
    const sizes = [0, 1, 125, 126, 1024, 65_536, 2 ** 20]
    for (const size of sizes) client.binary(pattern(size))
    const same = []
    await new Promise(resolve => {
      client.on('message', message => {
        const size = sizes[same.length]
        same.push(message.length === size && message instanceof Uint8Array && sum(message) === sum(pattern(size)))
        if (same.length === sizes.length) resolve()
      })
    })
    return { same, ended: await close(sides) }
  },

  async fragments(wire) {
    const sides = join(wire)
    const { client, server } = sides
    const received = new Promise(resolve => server.once('message', resolve))
    const writer = client.createMessage('text')
    // split inside a character
    const bytes = new TextEncoder().encode('Grüße')
    writer.write(bytes.subarray(0, 3))
    writer.write(bytes.subarray(3))
    writer.end(' 😀')
    return { text: await received, ended: await close(sides) }
  },

  async streams(wire) {
    const sides = join(wire)
    const { client, server } = sides
    const seen = (async () => {
      const streams = []
      for await (const stream of server.streams) {
        const chunks = []
        for await (const chunk of stream) chunks.push(chunk)
        const isText = stream.kind === 'text'
        streams.push([stream.kind, isText ? chunks.join('') : chunks.reduce((size, { length }) => size + length, 0)])
      }
      return streams
    })()
    client.text('whole')
    const writer = client.createMessage('binary')
    for (let i = 0; i < 16; i++) {
      if (!writer.write(pattern(65_536))) await new Promise(resolve => writer.once('drain', resolve))
    }
    await new Promise(resolve => writer.end(resolve))
    const ended = await close(sides)
    return { streams: await seen, ended }
  },

  async pings(wire) {
    const sides = join(wire)
    const { client, server } = sides
    await client.opened
    const payloads = []
    server.on('ping', payload => payloads.push(new TextDecoder().decode(payload)))
    const times = [await client.ping('abc'), await server.ping()]
    return { payloads, times: times.map(time => time >= 0 && time < 5000), ended: await close(sides) }
  },

  async close(wire) {
    const sides = join(wire)
    await sides.client.opened
    return { ended: await close(sides, 4001, 'schönen Abend') }
  },

  async endOfMessages(wire) {
    const sides = join(wire)
    sides.client.messages.end('last')
    const received = []
    for await (const message of sides.server.messages) received.push(message)
    const ended = { client: await sides.client.whenClosed(), server: await sides.server.whenClosed() }
    return { received, ended }
  },

  /** Bytes written without the library: each side gets what its peer must not send. */
  async faults(wire) {
    const cases = {
      unmasked: ['server', [0x81, 0x01, 0x61]],
      masked: ['client', [0x81, 0x81, 1, 2, 3, 4, 0x60]],
      'not UTF-8': ['client', [0x81, 0x03, 0x61, 0xff, 0x62]],
      'not UTF-8, masked': ['server', [0x81, 0x82, 0, 0, 0, 0, 0xc0, 0x80]],
      'not UTF-8, in a fragment': ['client', [0x01, 0x02, 0x61, 0xff]],
      'not UTF-8, in a reason': ['client', [0x88, 0x03, 0x03, 0xe8, 0xff]]
    }
    const seen = {}
    for (const [name, [victim, bytes]] of Object.entries(cases)) {
      const { client, server, left, right } = join(wire)
      await Promise.all([client.opened, server.opened])
      const [ws, attacker] = victim === 'server' ? [server, right] : [client, left]
      // messages that nothing reads are not decoded
      ws.on('message', () => {})
      const code = errorOf(ws)
      attacker.write(Uint8Array.from(bytes))
      const { code: closeCode, wasClean } = await ws.whenClosed()
      seen[name] = { code: await code, closeCode, wasClean }
    }
    return seen
  },

  async refusal(wire) {
    const { client, server } = join(wire)
    server.on('request', () => server.reject(403, { body: 'nö' }))
    const { code, status, body } = await client.opened.catch(error => error)
    await Promise.all([client.whenClosed(), server.whenClosed()])
    return { code, status, body: body.toString() }
  },

  async backpressure(wire) {
    const sides = join(wire)
    const { client, server } = sides
    await client.opened
    const view = server.messages
    let written = 0
    while (client.messages.write(pattern(16_384))) written++
    const held = client.bufferedAmount
    let read = 0
    view.on('data', () => read++)
    await new Promise(resolve => client.messages.once('drain', resolve))
    const ended = await close(sides)
    return { waited: written > 0 && written < 100, held: held < 2 ** 20, all: read === written + 1, ended }
  }
}

/** A conversation that does not end is an error here, which says more than a timeout of the test. */
globalThis.converse = (name, wire) => {
  const late = new Promise((_, reject) => setTimeout(() => reject(new Error(`${name} does not end`)), 15_000))
  return Promise.race([CONVERSATIONS[name](wire), late])
}
globalThis.names = Object.keys(CONVERSATIONS)
globalThis.constants = [CloseCode.Normal, Opcode.Text]
