// The types of events and methods: the code in this file compiles, and the expected errors are errors.

import { type Duplex, finished } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import t from 'tap'
import {
  type CloseInfo,
  type OpenInfo,
  type UpgradeRequest,
  type WebSocketOptions,
  WebSocketStream
} from '../../lib/index.js'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(_yes: Same<A, B>): void => {}

t.test('events carry their types', async t => {
  const ws = WebSocketStream.server()
  ws.on('open', info => same<typeof info, OpenInfo>(true))
  ws.on('close', info => same<typeof info, CloseInfo>(true))
  ws.on('message', message => same<typeof message, string | Buffer>(true))
  ws.on('ping', payload => same<typeof payload, Buffer>(true))
  ws.once('pong', payload => same<typeof payload, Buffer>(true))
  ws.once('request', request => same<typeof request, UpgradeRequest>(true))
  ws.prependListener('error', error => same<typeof error, Error>(true))
  ws.addListener('unpipe', () => {})
  // @ts-expect-error close has one argument, a CloseInfo
  ws.on('close', (code: number, reason: string) => [code, reason])
  // @ts-expect-error close has one argument, a CloseInfo
  ws.once('close', (code, reason) => [code, reason])
  // @ts-expect-error there is no such event
  ws.on('mesage', () => {})
  // @ts-expect-error a message may be text
  ws.on('message', (message: Buffer) => message)
  ws.removeAllListeners()
  const chained: WebSocketStream = ws.on('open', () => {}).once('close', () => {})
  t.equal(chained, ws)
  ws.destroy()
  await ws.whenClosed()
})

t.test('methods and fields have their types', async t => {
  const ws = WebSocketStream.server()
  // for Node's types it is a stream wherever streams are accepted
  const stream: NodeJS.ReadWriteStream = ws
  const pipes = (socket: Duplex): Duplex => socket.pipe(ws).pipe(socket)
  const joined = (socket: Duplex): Promise<void> => pipeline(socket, ws, socket)
  t.equal(stream, ws)
  t.ok([pipes, joined, finished])
  same<Awaited<typeof ws.opened>, OpenInfo>(true)
  same<typeof ws.closeInfo, CloseInfo | undefined>(true)
  same<typeof ws.readyState, 'connecting' | 'open' | 'closing' | 'closed'>(true)
  same<ReturnType<typeof ws.ping>, Promise<number>>(true)
  type RequestHeaders = UpgradeRequest['headers']
  same<RequestHeaders['authorization'], string | undefined>(true)
  same<RequestHeaders['x-other'], string | string[] | undefined>(true)
  ws.destroy()
  const info: CloseInfo = await ws.whenClosed()
  t.equal(info.code, 1006)
  // @ts-expect-error no such option
  const wrong: WebSocketOptions = { maxPayload: 5 }
  t.ok(wrong)
  // @ts-expect-error no such version
  t.throws(() => WebSocketStream.client('ws://a/', { version: 12 }), RangeError)
  // @ts-expect-error text is a string
  t.throws(() => ws.text(5), TypeError)
  // @ts-expect-error binary is bytes
  t.throws(() => ws.binary('text'), TypeError)
})
