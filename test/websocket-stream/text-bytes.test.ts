// Text as bytes, in both directions: no string is made of it, and it is checked as always.

import { once } from 'node:events'
import t from 'tap'
import { permessageDeflate, type ReceivedMessage, TextBytes } from '../../lib/index.js'
import { CLOSE, readClose, TEXT } from '../support/raw-peer.js'
import { IN_MEMORY, nameOf, open, ours } from './sides.js'

const TEXTS = ['', 'hello', 'grüße €', 'x'.repeat(1023), 'ü'.repeat(600), 'z'.repeat(5000), '€'.repeat(40_000)]

for (const setup of IN_MEMORY) {
  t.test(`text arrives as bytes, distinguishable from binary: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup, { textAs: 'bytes' })
    const got: unknown[] = []
    ws.on('message', (message, kind) => got.push([message, kind]))
    for (const text of TEXTS) peer.text(text)
    peer.send(2, 'bytes')
    peer.close()
    peer.end()
    await once(ws, 'close')
    t.same(got, [...TEXTS.map(text => [Buffer.from(text), 'text']), [Buffer.from('bytes'), 'binary']])
    t.ok(got.every(([message]: any) => Buffer.isBuffer(message)))
  })

  t.test(`it is joined from fragments, and from parts of frames: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup, { textAs: 'bytes' })
    const bytes = Buffer.from('€'.repeat(30_000))
    const message = once(ws, 'message')
    peer.send(TEXT, bytes.subarray(0, 40_001), { fin: false })
    const rest = peer.frame(0, bytes.subarray(40_001))
    for (let at = 0; at < rest.length; at += 10_000) peer.write(rest.subarray(at, at + 10_000))
    t.same(await message, [bytes, 'text'])
  })

  for (const size of [2, 3000]) {
    t.test(`${size} bytes that are not UTF-8 fail the connection with 1007: ${nameOf(setup)}`, async t => {
      const { ws, peer } = await open(t, setup, { textAs: 'bytes' })
      const failed = once(ws, 'error')
      ws.on('message', () => t.fail('it is no text'))
      peer.send(TEXT, Buffer.alloc(size, 0xff))
      t.match(readClose(await peer.nextFrame()), { code: 1007 })
      peer.close(1007)
      peer.end()
      t.match(await failed, [{ code: 'WS_ERR_INVALID_UTF8' }])
    })
  }

  t.test(`bytes are sent as text, compressed or not: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    t.equal(ws.text(Buffer.from('grüße')), true)
    t.equal(ws.text(new Uint8Array([104, 105]), { compress: false }), true)
    t.equal(ws.send(new TextBytes(Buffer.from('send'))), true)
    ws.messages.write(new TextBytes(Buffer.from('write')))
    for (const text of ['grüße', 'hi', 'send', 'write']) {
      const frame = await peer.nextFrame()
      t.match(frame, { opcode: TEXT, fin: true })
      t.equal(frame?.payload.toString(), text)
    }
    t.throws(() => ws.text(Buffer.from([0xff])), { name: 'TypeError', message: 'text must be UTF-8' })
    t.throws(() => new TextBytes('text' as never), TypeError)
    t.throws(() => ws.text(5 as never), TypeError)
    ws.close()
    t.equal((await peer.nextFrame())?.opcode, CLOSE)
  })
}

t.test('the messages view gives TextBytes, and an echo of it sends text', async t => {
  const { server, client } = await ours(t, { textAs: 'bytes', extensions: [permessageDeflate({ threshold: 0 })] })
  server.messages.pipe(server.messages)
  const kinds: unknown[] = []
  client.text('hello '.repeat(100))
  client.binary([1, 2])
  for await (const message of client.messages as AsyncIterable<ReceivedMessage>) {
    kinds.push(message instanceof TextBytes ? [message.toString(), message.size] : message)
    if (kinds.length === 2) break
  }
  t.same(kinds, [['hello '.repeat(100), 600], Buffer.from([1, 2])])
})
