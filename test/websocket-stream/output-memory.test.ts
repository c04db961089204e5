// Output over sockets lies in memory that is reused, but never before the socket has written it.

import { createHash } from 'node:crypto'
import t from 'tap'
import { WebSocketStream } from '../../lib/index.js'
import { tcpPair } from './sides.js'

for (const from of ['server', 'client'] as const) {
  t.test(`many readers of every speed get what a ${from} sent them`, async t => {
    const COUNT = 8
    const MESSAGES = 300
    const results = await Promise.all(
      Array.from({ length: COUNT }, async (_, index) => {
        const [near, far] = await tcpPair(t, true)
        const server = WebSocketStream.server().attach(near)
        const client = WebSocketStream.client('ws://localhost/').attach(far)
        await client.opened
        const [sender, receiver] = from === 'server' ? [server, client] : [client, server]
        const [sent, received] = [createHash('sha1'), createHash('sha1')]
        const send = async (): Promise<void> => {
          for (let i = 0; i < MESSAGES; i++) {
            // from sizes below what is borrowed to sizes above what is copied, or masked in one piece
            const size = 1 + ((i * 7919 + index * 104_729) % (i % 30 === 0 ? 500_000 : 50_000))
            const message = Buffer.alloc(size, i + index)
            sent.update(message)
            if (!sender.messages.write(message)) await new Promise(resolve => sender.messages.once('drain', resolve))
          }
          sender.messages.end()
        }
        const sending = send()
        let read = 0
        for await (const message of receiver.messages) {
          received.update(message)
          if (++read % 20 === 0) await new Promise(resolve => setTimeout(resolve, index % 4))
        }
        await sending
        return { read, same: sent.digest('hex') === received.digest('hex') }
      })
    )
    for (const result of results) t.same(result, { read: MESSAGES, same: true })
  })
}
