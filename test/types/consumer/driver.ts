// websocket-duplex/driver, as programs on websocket-driver use it.

import { createServer, type Socket } from 'node:net'
import driver, {
  type ClientDriver,
  client,
  type DriverOptions,
  http,
  server
} from '../../../lib/compat/driver/index.js'

export function serve(socket: Socket, options: DriverOptions = { protocols: ['chat'], maxLength: 2 ** 20 }): void {
  const there = server(options)
  there.on('connect', () => {
    const method: string | undefined = there.method
    if (method === 'GET' && driver.isWebSocket(there)) there.start()
  })
  there.on('message', ({ data }) => {
    const sent: boolean = typeof data === 'string' ? there.text(data) : there.binary(data)
    if (!sent) there.close('no more', 1001)
  })
  there.on('close', ({ code, reason }) => console.log(code?.toFixed(), reason?.trim()))
  // @ts-expect-error: no such event carries a number
  there.on('ping', (payload: number) => payload)
  socket.pipe(there.io).pipe(socket)
  there.messages.pipe(there.messages)
}

export function dial(socket: Socket): ClientDriver {
  const ours = client('wss://example.com/', null)
  const proxy = ours.proxy('http://a:b@proxy.example')
  proxy.setHeader('User-Agent', 'node')
  socket.pipe(proxy).pipe(socket)
  ours.ping('a', () => {})
  const state: 'connecting' | 'open' | 'closing' | 'closed' | null = ours.getState()
  console.log(state, ours.statusCode?.toFixed(), ours.headers?.['upgrade'])
  return ours
}

createServer().on('upgrade', (request, _socket, head: Buffer) => {
  const ws = http(request)
  ws.io.write(head)
  ws.start()
})
driver.validateOptions({ a: 1 }, ['a'])
