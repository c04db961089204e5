// A17: a peer that never reads while the application sends.

import t from 'tap'
import { permessageDeflate, type WebSocketOptions, type WebSocketStream } from '../../lib/index.js'
import { random } from '../support/frames.js'
import { MIB, meet, turn, WAYS } from './support.js'

const next = random(17)
const NOISE = Buffer.from(Array.from({ length: 16384 }, () => Math.floor(next() * 256)))

type Send = (ws: WebSocketStream) => () => boolean

const SENDS: Record<string, Send> = {
  'messages.write': ws => () => ws.messages.write(NOISE),
  binary: ws => () => ws.binary(NOISE) && !ws.needsDrain,
  text: ws => {
    const text = NOISE.toString('latin1')
    return () => ws.text(text) && !ws.needsDrain
  },
  'createMessage().write': ws => {
    const writer = ws.createMessage('binary')
    return () => writer.write(NOISE)
  }
}

/** Sends until it is told to wait, and continues whenever there is room again, until all buffers are full. */
async function fill(send: () => boolean, most: number): Promise<{ sent: number; told: boolean }> {
  let sent = 0
  let told = false
  for (let quiet = 0; quiet < 50 && sent < most; ) {
    if (send()) {
      quiet = 0
    } else {
      told = true
      quiet++
      await turn()
      if (quiet > 1) break
    }
    sent += NOISE.length
  }
  return { sent, told }
}

for (const way of WAYS) {
  for (const [name, sending] of Object.entries(SENDS)) {
    for (const highWaterMark of [1024, 65536]) {
      t.test(`${way}, ${name}: write returns false, and the buffer stays near ${highWaterMark}`, async t => {
        const { ws, peer } = await meet(t, way, { highWaterMark }, { reads: false })
        peer.stream.pause()
        const { sent, told } = await fill(sending(ws), 16 * MIB)
        t.ok(told)
        t.ok(sent < MIB, `${sent} bytes were sent`)
        // the wire itself may hold one write
        t.ok(ws.bufferedAmount <= highWaterMark + 65536 + 8 * NOISE.length, `${ws.bufferedAmount} bytes wait`)
      })
    }
  }

  t.test(`${way}: the same with compression`, async t => {
    const options: WebSocketOptions = { extensions: [permessageDeflate()] }
    const fields = { 'Sec-WebSocket-Extensions': 'permessage-deflate' }
    const { ws, peer } = await meet(t, way, options, { fields, reads: false })
    peer.stream.pause()
    const { sent } = await fill(SENDS['messages.write']!(ws), 16 * MIB)
    t.ok(sent < MIB, `${sent} bytes were sent`)
  })

  t.test(`${way}: without a high-water mark it never returns false`, async t => {
    const { ws, peer } = await meet(t, way, { highWaterMark: Number.POSITIVE_INFINITY }, { reads: false })
    peer.stream.pause()
    const { sent, told } = await fill(SENDS['binary']!(ws), 4 * MIB)
    t.equal(told, false)
    t.ok(ws.bufferedAmount > sent / 2, `${ws.bufferedAmount} of ${sent} bytes wait`)
  })
}
