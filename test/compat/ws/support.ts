// A server and a client of this entry, on the loopback.

import { once } from 'node:events'
import { type ClientOptions, type ServerOptions, WebSocket, WebSocketServer } from '../../../lib/compat/ws/index.js'
import type { TestLike } from '../../websocket-stream/sides.js'

export async function serve(t: TestLike, options: ServerOptions = {}): Promise<{ wss: WebSocketServer; url: string }> {
  const wss = new WebSocketServer({ port: 0, host: '127.0.0.1', ...options })
  await once(wss, 'listening')
  t.teardown(() => {
    for (const client of wss.clients ?? []) client.terminate()
    wss.close()
  })
  return { wss, url: `ws://127.0.0.1:${portOf(wss)}/` }
}

export function portOf(wss: WebSocketServer): number {
  return (wss.address() as { port: number }).port
}

export interface Pair {
  wss: WebSocketServer
  url: string
  client: WebSocket
  server: WebSocket
}

export async function open(t: TestLike, options: ServerOptions = {}, clientOptions: ClientOptions = {}): Promise<Pair> {
  const { wss, url } = await serve(t, options)
  const connected = once(wss, 'connection')
  const client = new WebSocket(url, clientOptions)
  t.teardown(() => client.terminate())
  await once(client, 'open')
  const [server] = (await connected) as [WebSocket]
  return { wss, url, client, server }
}

export { WebSocket, WebSocketServer }
