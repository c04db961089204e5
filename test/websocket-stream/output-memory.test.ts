// What goes out over sockets lies in memory that is used again: never before the socket has written it.

import { createHash } from 'node:crypto'
import t from 'tap'
import { WebSocketStream } from '../../lib/index.js'
import { tcpPair } from './sides.js'

t.test('many connections with readers of every speed get what was sent to them', async t => {
  const COUNT = 8
  const MESSAGES = 300
  const results = await Promise.all(
    Array.from({ length: COUNT }, async (_, index) => {
      const [near, far] = await tcpPair(t, true)
      const server = WebSocketStream.server().attach(near)
      const client = WebSocketStream.client('ws://localhost/').attach(far)
      await client.opened
      const [sent, received] = [createHash('sha1'), createHash('sha1')]
      const send = async (): Promise<void> => {
        for (let i = 0; i < MESSAGES; i++) {
          // from below what is borrowed to above what is copied
          const message = Buffer.alloc(1 + ((i * 7919 + index * 104_729) % 50_000), i + index)
          sent.update(message)
          if (!server.messages.write(message)) await new Promise(resolve => server.messages.once('drain', resolve))
        }
        server.messages.end()
      }
      const sending = send()
      let read = 0
      for await (const message of client.messages) {
        received.update(message)
        if (++read % 20 === 0) await new Promise(resolve => setTimeout(resolve, index % 4))
      }
      await sending
      return { read, same: sent.digest('hex') === received.digest('hex') }
    })
  )
  for (const result of results) t.same(result, { read: MESSAGES, same: true })
})
