// A messages view that is only written to takes no messages from the listeners.

import { once } from 'node:events'
import { finished } from 'node:stream/promises'
import t from 'tap'
import { jsonMessages, permessageDeflate } from '../../lib/index.js'
import { ours, settle } from '../websocket-stream/sides.js'

t.test('messages wait for the next listener', async t => {
  const { client, server } = await ours(t)
  client.messages.write('hello')
  for (const text of ['1', '2', '3']) server.text(text)
  for (const text of ['1', '2', '3']) t.same(await once(client, 'message'), [text])
})

t.test('a message that arrives before the first listener waits for it, or for a reader', async t => {
  for (const reads of ['listener', 'view']) {
    const { client, server } = await ours(t)
    client.messages.write('hello')
    server.text('greeting')
    await settle()
    const got: unknown[] = []
    if (reads === 'listener') client.on('message', message => got.push(message))
    else client.messages.on('data', message => got.push(message))
    server.text('second')
    while (got.length < 2) await settle()
    t.same(got, ['greeting', 'second'])
  }
})

t.test('jsonMessages: callbacks run once, and the view finishes like others', async t => {
  const { client, server } = await ours(t, { extensions: [permessageDeflate()] })
  server.discardMessages()
  const json = jsonMessages(client)
  const calls: unknown[] = []
  for (let i = 0; i < 4; i++) json.write({ x: 'ä'.repeat(50_000) }, error => calls.push(error ?? null))
  const over = finished(json)
  await client.close()
  await over
  t.same(calls, [null, null, null, null])
  t.equal(json.writableFinished, true)
})

t.test('jsonMessages finishes after a clean close of the peer, read or not', async t => {
  for (const isRead of [true, false]) {
    const { client, server } = await ours(t)
    server.discardMessages()
    const json = jsonMessages(client)
    const got: unknown[] = []
    if (isRead) json.on('data', value => got.push(value))
    else json.write({ b: 2 })
    if (isRead) server.text('{"a":1}')
    const over = finished(json)
    await settle()
    void server.close()
    await over
    t.same(got, isRead ? [{ a: 1 }] : [])
  }
})
