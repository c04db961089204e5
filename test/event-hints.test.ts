// Listeners for events that do not exist: a warning, once for each name, if the name resembles a real one.

import type { EventEmitter } from 'node:events'
import http from 'node:http'
import t from 'tap'
import { hintEvent } from '../lib/event-hints.js'
import { EVENTS } from '../lib/events.js'
import { acceptWebSockets, WebSocketStream } from '../lib/index.js'

/** The texts of the warnings that a function causes. */
async function warnings(run: () => void): Promise<string[]> {
  const found: string[] = []
  const listener = ({ message, code }: Error & { code?: string }): void => {
    if (code === 'WS_UNKNOWN_EVENT') found.push(message)
  }
  process.on('warning', listener)
  run()
  await new Promise(resolve => setImmediate(resolve))
  process.off('warning', listener)
  return found
}

t.test('a similar name is suggested, once', async t => {
  const ws = WebSocketStream.server()
  const listen = (): void => {
    for (const event of ['mesage', 'mesage', 'disconnect', 'message', 'my own event']) ws.on(event as never, () => {})
  }
  t.same(await warnings(listen), [
    "there is no event 'mesage'; did you mean 'message'?",
    "there is no event 'disconnect'; did you mean 'close'?"
  ])
  ws.destroy()
  await ws.whenClosed()
})

t.test('an acceptor says that connections go to its handler', async t => {
  const acceptor = acceptWebSockets(http.createServer(), {}, () => {})
  const found = await warnings(() => (acceptor as EventEmitter).on('connection', () => {}))
  t.same(found, ["there is no event 'connection'; acceptWebSockets gives each connection to its handler"])
  await acceptor.close()
})

t.test('symbols are never warned about, and every event of the types is known', async t => {
  t.same(await warnings(() => hintEvent(Symbol('mesage'), EVENTS, new Map())), [])
  t.same(
    await warnings(() => {
      for (const event of EVENTS) hintEvent(event, EVENTS, new Map())
    }),
    []
  )
})
