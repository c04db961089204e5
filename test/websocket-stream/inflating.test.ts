// A wire that closes while a message is still being inflated: that message arrives, and the end is told once.

import { randomBytes } from 'node:crypto'
import { finished } from 'node:stream/promises'
import t from 'tap'
import { kEndpoint } from '../../lib/endpoint.js'
import { type Message, permessageDeflate, type WebSocketOptions, WebSocketStream } from '../../lib/index.js'
import { pair } from '../support/pair.js'
import { settle, type TestLike } from './sides.js'

const TEXT = randomBytes(50_000).toString('hex')

/** A client to which the wire brings compressed messages, and the end of that wire. */
async function receiving(
  t: TestLike,
  options: WebSocketOptions = {},
  join: 'attach' | 'pipe' = 'attach'
): Promise<{ ws: WebSocketStream; close(): void }> {
  const [left, right] = pair()
  const extensions = [permessageDeflate()]
  const server = WebSocketStream.server({ extensions }).attach(left)
  const ws = WebSocketStream.client('ws://example.com/', { extensions, ...options })
  if (join === 'attach') ws.attach(right)
  else right.pipe(ws).pipe(right)
  t.teardown(() => {
    server.destroy()
    ws.destroy()
  })
  await Promise.all([ws.opened, server.opened])
  for (let i = 0; i < 5; i++) server.text(TEXT)
  return {
    ws,
    close: () => {
      right.destroy()
      left.destroy()
    }
  }
}

interface Inside {
  readonly extensions: { readonly inbound: { readonly isWorking: boolean } }
}

function isInflating(ws: WebSocketStream): boolean {
  return (ws[kEndpoint].pipeline as unknown as Inside).extensions.inbound.isWorking
}

t.test('a connection used as a stream ends after a message that is being inflated', async t => {
  const { ws, close } = await receiving(t)
  const got: Message[] = []
  ws.on('message', message => got.push(message))
  ws.on('error', () => {})
  const over = finished(ws).then(
    () => null,
    error => error
  )
  while (!isInflating(ws)) await settle(1)
  close()
  t.match(await ws.whenClosed(), { code: 1006 })
  t.ok(await over)
  t.equal(ws.destroyed, true)
  t.ok(got.length >= 1)
  t.ok(got.every(text => text === TEXT))
})

for (const join of ['attach', 'pipe'] as const) {
  t.test(`destroyed while it inflates, it closes: ${join}`, async t => {
    const { ws } = await receiving(t, {}, join)
    ws.on('message', () => {})
    ws.on('error', () => {})
    const over = finished(ws).catch(error => error)
    while (!isInflating(ws)) await settle(1)
    ws.destroy()
    t.match(await ws.whenClosed(), { code: 1006, wasClean: false })
    await over
    t.equal(ws.destroyed, true)
  })

  t.test(`a wire that closes while it inflates closes it: ${join}`, async t => {
    const { ws, close } = await receiving(t, {}, join)
    ws.on('message', () => {})
    ws.on('error', () => {})
    while (!isInflating(ws)) await settle(1)
    close()
    t.match(await ws.whenClosed(), { code: 1006, wasClean: false })
  })
}

for (const [how, read] of [
  ['is not read', ws => ws.messages],
  ['has paused', ws => ws.messages.on('data', () => ws.messages.pause())],
  ['has paused its listeners', ws => ws.on('message', () => {}).pauseMessages()]
] as const satisfies [string, (ws: WebSocketStream) => unknown][]) {
  t.test(`close comes although a view ${how}`, async t => {
    for (const size of [1, 2, 3]) {
      const { ws, close } = await receiving(t, { highWaterMark: 1000 })
      read(ws)
      ws.on('error', () => {})
      for (let i = 0; i < size; i++) {
        while (!isInflating(ws) && !ws[kEndpoint].holdsInput()) await settle(1)
        await settle(1)
      }
      close()
      t.match(await ws.whenClosed(), { code: 1006, wasClean: false })
    }
  })
}
