// `fragmentSize` limits frames on the wire, after compression. Fragments are written as the wire takes them: a Ping gets between
// those of a large message, and a Close waits for the last.

import { constants, inflateRawSync } from 'node:zlib'
import t from 'tap'
import { permessageDeflate, prepareMessage, type WebSocketOptions } from '../../lib/index.js'
import { noise } from '../extensions/codecs.js'
import { reverse } from '../extensions/toys.js'
import {
  answerHead,
  BINARY,
  CLOSE,
  type FieldChanges,
  PING,
  PONG,
  type RawPeer,
  requestHead,
  type WireFrame
} from '../support/raw-peer.js'
import { fresh, nameOf, open, SETUPS, type Setup, settle, type TestLike } from './sides.js'

const SIZE = 1000

async function agreed(t: TestLike, setup: Setup, extensions: string, options: WebSocketOptions) {
  const side = await fresh(t, setup, options)
  const fields: FieldChanges = { 'Sec-WebSocket-Extensions': extensions }
  if (setup.role === 'server') side.peer.write(requestHead(fields))
  const head = await side.peer.head()
  if (setup.role === 'client') side.peer.write(answerHead(head, fields))
  await side.ws.opened
  return side
}

/** The frames of the next message, without control frames. */
async function message(peer: RawPeer): Promise<WireFrame[]> {
  const frames: WireFrame[] = []
  for (;;) {
    const frame = await peer.nextFrame()
    if (frame === undefined) throw new Error('the wire ended')
    if (frame.opcode < 8) frames.push(frame)
    if (frame.fin && frame.opcode < 8) return frames
  }
}

const together = (frames: WireFrame[]): Buffer => Buffer.concat(frames.map(({ payload }) => payload))

function inflate(frames: WireFrame[]): Buffer {
  const bytes = Buffer.concat([together(frames), Buffer.from([0, 0, 0xff, 0xff])])
  return inflateRawSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH })
}

for (const setup of SETUPS) {
  const name = nameOf(setup)

  t.test(`frames are no larger, whatever the compression: ${name}`, async t => {
    const extensions = [permessageDeflate({ contextTakeover: false, threshold: 0 })]
    const options = { fragmentSize: SIZE, extensions }
    const { ws, peer } = await agreed(t, setup, 'permessage-deflate', options)
    for (const size of [0, 1, SIZE, SIZE + 1, 16_385, 100_000]) {
      const bytes = noise(size)
      const writer = ws.createMessage('binary')
      ws.binary(bytes)
      ws.send(prepareMessage(bytes))
      writer.write(bytes.subarray(0, size >> 1))
      writer.end(bytes.subarray(size >> 1))
      for (let i = 0; i < 3; i++) {
        const frames = await message(peer)
        t.ok(inflate(frames).equals(bytes), `${size} bytes`)
        t.ok(frames.every(({ payload }) => payload.length <= SIZE))
        t.same([...new Set(frames.slice(1).map(({ opcode, rsv }) => opcode + rsv))], frames.length > 1 ? [0] : [])
        t.equal(frames[0]!.rsv, 4)
      }
    }
  })

  t.test(`messages of an extension for whole messages are split as well: ${name}`, async t => {
    const options = { fragmentSize: SIZE, extensions: [reverse()] }
    const { ws, peer } = await agreed(t, setup, 'reverse', options)
    ws.binary(noise(5500))
    const frames = await message(peer)
    t.same(
      frames.map(({ payload }) => payload.length),
      [1000, 1000, 1000, 1000, 1000, 500]
    )
    t.ok(together(frames).reverse().equals(noise(5500)))
  })
}

for (const compress of [false, true]) {
  for (const role of ['server', 'client'] as const) {
    const name = `${role}${compress ? ', compressed' : ''}`
    const setup: Setup = { role, join: 'attach', wire: 'memory' }
    const large = noise(2 ** 20)
    const start = (t: TestLike) => {
      const extensions = compress ? [permessageDeflate({ contextTakeover: false })] : []
      const options = { fragmentSize: SIZE, extensions }
      return compress ? agreed(t, setup, 'permessage-deflate', options) : open(t, setup, options)
    }
    const read = (frames: WireFrame[]): Buffer => (compress ? inflate(frames) : together(frames))

    t.test(`a Ping and a Pong are sent between the fragments of a large message: ${name}`, async t => {
      const { ws, peer } = await start(t)
      // a peer that does not read yet
      peer.stream.pause()
      ws.binary(large)
      await settle(50)
      void ws.ping(Buffer.from('now'))
      peer.send(PING, 'you too')
      await settle(50)
      peer.stream.resume()
      const frames: WireFrame[] = []
      let ahead = 0
      const controls: string[] = []
      while (frames.at(-1)?.fin !== true) {
        const frame = (await peer.nextFrame())!
        if (frame.opcode < 8) frames.push(frame)
        else controls.push(`${frame.opcode} ${frame.payload}`)
        if (controls.length < 2) ahead = frames.length
      }
      t.same(controls, [`${PING} now`, `${PONG} you too`])
      t.ok(ahead * SIZE < 2 ** 18, `behind ${ahead} of ${frames.length} fragments`)
      t.ok(read(frames).equals(large))
    })

    t.test(`waiting fragments count as buffered, and a Close waits for them: ${name}`, async t => {
      const { ws, peer } = await start(t)
      peer.stream.pause()
      ws.binary(large)
      ws.text('behind')
      const closed = ws.close(1000)
      await settle(50)
      const rest = large.length - 2 ** 18
      t.ok(ws.bufferedAmount > rest && ws.bufferedAmount < 2 * large.length, `${ws.bufferedAmount} bytes wait`)
      peer.stream.resume()
      t.ok(read(await message(peer)).equals(large))
      t.equal(String(together(await message(peer))), 'behind')
      const close = await peer.nextFrame()
      t.equal(close?.opcode, CLOSE)
      peer.send(CLOSE, close!.payload)
      if (role === 'client') peer.end()
      await peer.ended()
      peer.end()
      t.match(await closed, { code: 1000, wasClean: true })
      t.equal(ws.bufferedAmount, 0)
    })

    t.test(`destroyed with fragments that wait, it ends once: ${name}`, async t => {
      const { ws, peer, closes } = await start(t)
      peer.stream.pause()
      ws.binary(large)
      void ws.close(1000)
      await settle(20)
      ws.destroy()
      await ws.whenClosed()
      t.equal(closes.length, 1)
      t.ok(ws.bufferedAmount < 2 ** 17, 'no fragment is left')
    })
  }
}

t.test('frames written to the frames view stay whole, after the fragments', async t => {
  const { ws, peer } = await open(t, { role: 'server', join: 'attach', wire: 'memory' }, { fragmentSize: SIZE })
  peer.stream.pause()
  ws.binary(noise(100_000))
  ws.frames.write({ opcode: BINARY, payload: noise(5000) })
  await settle(20)
  peer.stream.resume()
  t.ok(together(await message(peer)).equals(noise(100_000)))
  t.same(
    (await message(peer)).map(({ payload }) => payload.length),
    [5000]
  )
})
