// Engines, jobs and timers for compression are shared by all connections. The events of a connection are still emitted in the asynchronous
// context in which it was made, like those of a net.Socket.

import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import t from 'tap'
import { idleSweeper } from '../../lib/extensions/idle-sweeper.js'
import { type Message, permessageDeflate, WebSocketStream } from '../../lib/index.js'
import { byBoth, json, noise } from './codecs.js'

const CONNECTIONS = 12
/** Compressed and inflated synchronously, and in the thread pool. */
const MESSAGES: Message[] = [json(500), noise(50_000), json(90_000), noise(70_000), json(2000), json(300_000)]

byBoth('each event is emitted in the context of its own connection, on both sides', async t => {
  const user = new AsyncLocalStorage<string>()
  const strangers: string[] = []
  const check = (name: string | undefined, event: string) => {
    if (user.getStore() !== name) strangers.push(`${event} of ${name ?? 'a server'} came to ${user.getStore()}`)
  }
  for (const contextTakeover of [true, false]) {
    const extensions = [permessageDeflate({ contextTakeover, threshold: 0 })]
    const follow = (ws: WebSocketStream, name?: string) => {
      for (const event of ['open', 'message', 'pong', 'close'] as const) ws.on(event, () => check(name, event))
      return ws
    }
    // an accepted socket has the context of its server, which is none
    const server = createServer(socket => {
      const ws = follow(WebSocketStream.server({ extensions }))
      ws.messages.on('error', () => {})
      ws.messages.on('data', message => {
        check(undefined, 'data')
        ws.messages.write(message, () => check(undefined, 'a written message'))
      })
      socket.pipe(ws).pipe(socket)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const talk = (name: string) =>
      user.run(name, async () => {
        const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
        const ws = follow(WebSocketStream.client('ws://localhost/', { extensions }), name).attach(socket)
        let left = MESSAGES.length
        const isDone = new Promise<void>(resolve => {
          ws.on('message', () => {
            if (--left === 0) resolve()
          })
        })
        for (const message of MESSAGES) ws.messages.write(message)
        await isDone
        ws.close()
        await once(ws, 'close')
      })
    for (let round = 0; round < 2; round++) {
      // engines of the first round are used again in the second
      await Promise.all(Array.from({ length: CONNECTIONS }, (_, i) => talk(`client ${round}.${i}`)))
    }
    server.close()
  }
  t.same([...new Set(strangers)], [])
})

t.test('the timer that releases memory belongs to no connection', async t => {
  const user = new AsyncLocalStorage<string>()
  const seen: unknown[] = []
  while (idleSweeper.size > 0) idleSweeper.sweep()
  const holder = { lastUsed: 0, release: () => {} }
  const { setInterval } = globalThis
  globalThis.setInterval = ((...args: Parameters<typeof setInterval>) => {
    seen.push(user.getStore())
    return setInterval(...args)
  }) as typeof setInterval
  try {
    user.run('somebody', () => idleSweeper.add(holder))
  } finally {
    globalThis.setInterval = setInterval
    idleSweeper.delete(holder)
  }
  t.same(seen, [undefined])
})
