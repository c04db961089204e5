// Messages in pieces over a full wire: 'drain' and callbacks come when memory is free, and not before.

import t from 'tap'
import { permessageDeflate } from '../../lib/index.js'
import { noise } from '../extensions/codecs.js'
import { IN_MEMORY, nameOf, open, ours, SETUPS, settle } from '../websocket-stream/sides.js'

for (const setup of SETUPS) {
  for (const size of [100, 10_000, 70_000, 300_000, 2_000_000]) {
    t.test(
      `after 'drain' of a message in pieces of ${size} bytes their memory may be reused: ${nameOf(setup)}`,
      { timeout: 60_000 },
      async t => {
        const { ws, peer } = await open(t, setup, { highWaterMark: 20_000 })
        const writer = ws.createMessage('binary')
        const buffer = Buffer.alloc(size)
        let number = 0
        peer.stream.pause()
        const write = (): boolean => writer.write(buffer.fill(++number))
        // until all buffers are full
        const count = Math.max(3, Math.ceil(600_000 / size))
        const sending = (async () => {
          const waits: (() => void)[] = []
          writer.on('drain', () => waits.shift()?.())
          for (let i = 0; i < Math.min(count, 60); i++) {
            const drained = new Promise<void>(resolve => waits.push(resolve))
            // each piece waits for a callback, or for 'drain'
            if (write()) {
              waits.pop()
              await new Promise<void>(resolve => {
                number++
                writer.write(buffer.fill(number), () => resolve())
              })
            } else {
              await drained
            }
          }
          buffer.fill(0xee)
          writer.end()
        })()
        await settle(20)
        peer.stream.resume()
        const parts: Buffer[] = []
        for (let fin = false; !fin; ) {
          const frame = (await peer.nextFrame())!
          parts.push(frame.payload)
          fin = frame.fin
        }
        await sending
        const all = Buffer.concat(parts)
        t.equal(all.length, number * size)
        let wrong = 0
        // if two pieces are written without a wait between them, both have the content of the second
        for (let i = 0; i < number; i++) {
          const value = all[i * size]!
          if (value !== i + 1 && value !== i + 2) wrong++
          if (!all.subarray(i * size, (i + 1) * size).equals(Buffer.alloc(size, value))) wrong++
        }
        t.equal(wrong, 0)
      }
    )
  }
}

for (const setup of IN_MEMORY) {
  t.test(`'drain' is not emitted while the wire takes nothing: ${nameOf(setup)}`, async t => {
    for (const size of [1000, 500_000]) {
      const { ws, peer } = await open(t, setup, { highWaterMark: 10_000 })
      const writer = ws.createMessage('binary')
      peer.stream.pause()
      const callbacks: number[] = []
      let drains = 0
      writer.on('drain', () => drains++)
      let count = 0
      let more = true
      while (more && count < 1000) {
        const number = count++
        more = writer.write(Buffer.alloc(size), () => callbacks.push(number))
        if (more) await settle(1)
      }
      t.equal(more, false, `${count} pieces of ${size} bytes`)
      const before = callbacks.length
      await settle(30)
      t.equal(drains, 0)
      t.equal(callbacks.length, before)
      t.ok(before < count)
      const drained = new Promise(resolve => writer.once('drain', resolve))
      peer.stream.resume()
      await drained
      await new Promise<void>(resolve => writer.end(resolve))
      t.equal(drains, 1)
      t.same(
        callbacks,
        callbacks.map((_, i) => i)
      )
      t.equal(callbacks.length, count)
    }
  })
}

t.test('a message that is being compressed is sent before frames of the frames view', { timeout: 60_000 }, async t => {
  const options = { extensions: [permessageDeflate()] }
  for (const from of ['server', 'client'] as const) {
    for (const size of [50, 400_000]) {
      const both = await ours(t, options)
      const [sender, receiver] = from === 'server' ? [both.server, both.client] : [both.client, both.server]
      const got: [number, boolean][] = []
      const all = new Promise<void>(resolve =>
        receiver.on('message', message => {
          got.push([message.length, Buffer.isBuffer(message)])
          if (got.length === 3) resolve()
        })
      )
      sender.binary(noise(size))
      sender.text('x'.repeat(size))
      const { frames } = sender
      const sent = new Promise(resolve => frames.write({ opcode: 1, payload: 'later' }, resolve as never))
      await all
      await sent
      t.same(got, [
        [size, true],
        [size, false],
        [5, false]
      ])
    }
  }
})
