// The entry that replaces `ws`, compared with its types: code for one compiles with the other. Only the types are
// checked: nothing here runs.

import { createServer, type IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type * as Theirs from 'ws'
import Ours, * as entry from '../../../lib/compat/ws/index.js'

/** What programs do with either, written once: the members, events and options of @types/ws. */
function program(WebSocket: typeof Theirs.WebSocket, WebSocketServer: typeof Theirs.WebSocketServer): void {
  const client = new WebSocket('ws://a.example', ['chat'], {
    perMessageDeflate: false,
    headers: { a: 'b' },
    maxPayload: 5
  })
  client.on('message', (data, isBinary) => client.send(data as Buffer, { binary: isBinary, fin: true }, error => error))
  client.once('close', (code, reason) => code.toFixed() + reason.toString())
  client.onmessage = ({ data, target }) => target.send(String(data))
  client.addEventListener('close', ({ code, reason, wasClean }) => [code, reason, wasClean], { once: true })
  client.ping('x', true, error => error)
  client.close(1000, Buffer.from('why'))
  const server = new WebSocketServer({ server: createServer(), handleProtocols: names => [...names][0] ?? false })
  server.on('connection', (socket, request) => request.url && socket.terminate())
  server.handleUpgrade(
    {} as IncomingMessage,
    {} as Duplex,
    Buffer.alloc(0),
    (socket, request) => request.url && socket.resume()
  )
  server.close(error => error)
}

/** Each member of @types/ws exists, with a compatible type. */
type Fits<T, U> = { [K in keyof T]: K extends keyof U ? (U[K] extends T[K] ? true : K) : K }[keyof T]
type Members = Omit<
  Theirs.WebSocket,
  keyof import('node:events').EventEmitter | `on${string}` | 'binaryType' | 'addEventListener' | 'removeEventListener'
>
export const members: Fits<Members, entry.WebSocket> = true
type ServerMembers = Omit<
  Theirs.WebSocketServer,
  keyof import('node:events').EventEmitter | 'options' | 'clients' | 'path' | 'handleUpgrade'
>
export const serverMembers: Fits<ServerMembers, entry.WebSocketServer> = true
type Options<T> = { [K in keyof T]: true }
export const options: Options<Required<Theirs.ClientOptions>> = {} as Options<
  Required<entry.ClientOptions> & { protocol: true }
>
export const serverOptions: Options<Required<Theirs.ServerOptions>> = {} as Options<Required<entry.ServerOptions>>
export const deflate: Options<Required<Theirs.PerMessageDeflateOptions>> = {} as Options<
  Required<entry.PerMessageDeflateOptions>
>

/** What programs do with the default export, as a value and as a type: keep connections in maps, echo. */
export function common(): Ours.RawData[] {
  const all = new Map<string, Ours>()
  const server: Ours.Server = new Ours.Server({ noServer: true })
  const other: Ours.WebSocketServer = server
  const settings: Ours.ClientOptions & Ours.ServerOptions = { perMessageDeflate: false }
  const kept: Ours.RawData[] = []
  server.on('connection', (socket: Ours, request: IncomingMessage) => {
    all.set(request.url ?? '', socket)
    socket.on('message', (data: Ours.RawData, isBinary: boolean) => {
      kept.push(data)
      for (const client of other.clients) if (client.readyState === Ours.OPEN) client.send(data, { binary: isBinary })
    })
    socket.onmessage = (event: Ours.MessageEvent) => event.target.send(event.data)
    socket.onclose = (event: Ours.CloseEvent) => event.code.toFixed() + event.reason
    socket.onerror = (event: Ours.ErrorEvent) => event.message
    socket.onopen = (event: Ours.Event) => event.type
  })
  const client: entry.WebSocket = new Ours('ws://a.example', settings)
  class Player extends Ours {
    sender = 1
    phase = 2
    receive(): void {}
  }
  all.set(client.url, new Player('ws://a.example'))
  return kept
}

export function same(): void {
  program(
    entry.WebSocket as unknown as typeof Theirs.WebSocket,
    entry.WebSocketServer as unknown as typeof Theirs.WebSocketServer
  )
  const client = new Ours('ws://a.example', ['chat'], { perMessageDeflate: false, headers: { a: 'b' }, maxPayload: 5 })
  client.on('message', (data, isBinary) => client.send(data as Buffer, { binary: isBinary, fin: true }, error => error))
  client.once('close', (code, reason) => code.toFixed() + reason.toString())
  client.onmessage = ({ data, target }) => target.send(String(data))
  client.addEventListener('close', ({ code, reason, wasClean }) => [code, reason, wasClean], { once: true })
  client.ping('x', true, error => error)
  client.close(1000, Buffer.from('why'))
  const server = new Ours.Server({ server: createServer(), handleProtocols: names => [...names][0] ?? false })
  server.on('connection', (socket, request) => request.url && socket.terminate())
  server.handleUpgrade(
    {} as IncomingMessage,
    {} as Duplex,
    Buffer.alloc(0),
    (socket, request) => request.url && socket.resume()
  )
  server.close(error => error)
  entry.createWebSocketStream(client, { encoding: 'utf8' }).end()
  // @ts-expect-error a code is a number
  client.close('1000')
}
