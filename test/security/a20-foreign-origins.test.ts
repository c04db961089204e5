// A20: a page of another origin asks for a connection, with every name that could be mistaken for an allowed one.

import t, { type Test } from 'tap'
import { acceptWebSockets, type WebSocketOptions, WebSocketStream } from '../../lib/index.js'
import { connectStream, listen, makeServer, session, upgrade } from '../net/web-servers.js'
import { greet, requestWith } from './support.js'

const RIGHT = 'https://app.example'
const FOREIGN: (string | null)[] = [
  null,
  '',
  'null',
  'https://app.example:8443',
  'https://app.example:443',
  'http://app.example',
  'HTTPS://app.example',
  'https://APP.example',
  'https://app.example.evil.example',
  'https://evil-app.example',
  'https://evil.example/https://app.example',
  'https://app.example@evil.example',
  'https://app.example/',
  'https://app.example.',
  'https://app.example, https://evil.example',
  'https://app.exampl\xe9',
  'wss://app.example',
  'app.example',
  '*',
  '__proto__'
]

type Ask = (origin: string | null) => Promise<number>

/** Ways to reach a server with such options, and the status for an origin. */
const SERVERS: Record<string, (t: Test, options: WebSocketOptions) => Promise<Ask>> = {
  async 'a server on bytes'(t, options) {
    return async origin => {
      const { peer } = await greet(t, 'server', options)
      peer.write(requestWith({ Origin: origin }))
      return (await peer.head()).status
    }
  },
  async 'node:http'(t, options) {
    const server = makeServer('http')
    server.on('upgrade', (request, socket, head) => WebSocketStream.http(request, head, options).attach(socket))
    const port = await listen(t, server)
    return async origin => (await upgrade(t, port, { fields: { Origin: origin } })).head.status
  },
  async acceptWebSockets(t, options) {
    const server = makeServer('http')
    acceptWebSockets(server, options, () => {})
    const port = await listen(t, server)
    return async origin => (await upgrade(t, port, { fields: { Origin: origin } })).head.status
  },
  async 'acceptWebSockets on HTTP/2'(t, options) {
    const server = makeServer('h2')
    acceptWebSockets(server, options, () => {})
    const client = await session(t, await listen(t, server))
    return async origin => (await connectStream(client, origin === null ? {} : { origin })).status
  }
}

for (const [name, make] of Object.entries(SERVERS)) {
  const opened = name.endsWith('2') ? 200 : 101

  t.test(`${name}: all of them are refused`, async t => {
    const checks: WebSocketOptions['origins'][] = [RIGHT, [RIGHT], origin => origin === RIGHT]
    for (const origins of checks) {
      const ask = await make(t, { origins })
      for (const origin of FOREIGN) t.equal(await ask(origin), 403, `${origin}`)
      t.equal(await ask(RIGHT), opened)
    }
  })

  t.test(`${name}: only true accepts`, async t => {
    for (const value of [Promise.resolve(true), 1, 'true', undefined]) {
      const ask = await make(t, { origins: () => value as never })
      t.equal(await ask(RIGHT), 403)
    }
  })

  t.test(`${name}: an empty list refuses all, and without a list all are accepted`, async t => {
    t.equal(await (await make(t, { origins: [] }))(RIGHT), 403)
    t.equal(await (await make(t, {}))('https://evil.example'), opened)
  })
}

t.test('a repeated Origin is refused, and the field of an older version does not replace it', async t => {
  const two = await greet(t, 'server', { origins: RIGHT })
  two.peer.write(requestWith({ Origin: RIGHT, origin: 'https://evil.example' }))
  t.equal((await two.peer.head()).status, 400)
  const older = await greet(t, 'server', { origins: RIGHT })
  older.peer.write(requestWith({ Origin: 'https://evil.example', 'Sec-WebSocket-Origin': RIGHT }))
  t.equal((await older.peer.head()).status, 403)
})
