// A32: an extension that throws, calls back twice, or never. That connection ends, others do not, and order is kept.

import t from 'tap'
import { MISBEHAVIOUR, type Process, reverse, toy, unsteadily } from '../extensions/toys.js'
import { TEXT } from '../support/raw-peer.js'
import { settle, within } from '../websocket-stream/sides.js'
import { meet, WAYS } from './support.js'

const fields = { 'Sec-WebSocket-Extensions': 'toy' }
const closeTimeout = 100

const twice: Process = (message, callback) => {
  callback(null, message)
  callback(null, { ...message, data: Buffer.from('again') })
  setImmediate(callback, new Error('and an error'))
}

for (const way of WAYS) {
  for (const [what, process] of MISBEHAVIOUR) {
    for (const direction of ['incoming', 'outgoing'] as const) {
      t.test(`${way}: one that ${what}, ${direction}, ends its connection`, async t => {
        const good = await meet(t, way, { extensions: [toy('toy')] }, { fields })
        const bad = await meet(t, way, { extensions: [toy('toy', { [direction]: process })], closeTimeout }, { fields })
        if (direction === 'incoming') bad.peer.text('a')
        else bad.ws.text('a')
        await settle()
        bad.ws.close()
        void bad.peer.ended().then(() => bad.peer.end())
        const info = await within(closeTimeout * 50, bad.ws.whenClosed())
        t.ok(info !== undefined, 'it is over')
        t.equal(info?.wasClean, false)
        t.equal(bad.closes.length, 1)
        t.same(bad.got, [])
        good.peer.text('b')
        await settle(20)
        t.same(good.got, ['b'])
      })
    }
  }

  t.test(`${way}: a second callback is ignored`, async t => {
    const extensions = [toy('toy', { incoming: twice, outgoing: twice })]
    const { ws, peer, got, errors } = await meet(t, way, { extensions }, { fields })
    for (const text of ['one', 'two', 'three']) {
      peer.text(text)
      ws.text(text)
    }
    for (const text of ['one', 'two', 'three']) {
      t.match(await peer.nextFrame(), { opcode: TEXT, payload: Buffer.from(text) })
    }
    await settle(20)
    t.same(got, ['one', 'two', 'three'])
    t.same(errors, [])
  })

  t.test(`${way}: one that is sometimes fast and sometimes slow keeps the order`, async t => {
    const extensions = [reverse(unsteadily())]
    const { ws, peer, got } = await meet(t, way, { extensions }, { fields: { 'Sec-WebSocket-Extensions': 'reverse' } })
    const texts = Array.from({ length: 50 }, (_, i) => `${i}`.padStart(3, '0'))
    for (const text of texts) {
      peer.send(TEXT, Buffer.from(text).reverse(), { rsv: 2 })
      ws.text(text)
    }
    for (const text of texts) t.equal(String((await peer.nextFrame())!.payload.reverse()), text)
    while (got.length < texts.length) await settle()
    t.same(got, texts)
  })
}
