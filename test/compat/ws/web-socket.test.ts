// The WebSocket of `ws` over ours: what it sends and emits, in the form and the order of `ws`.

import { once } from 'node:events'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { inspect } from 'node:util'
import t from 'tap'
import wsDefault, {
  type ClientOptions,
  createWebSocketStream,
  type RawData,
  Server
} from '../../../lib/compat/ws/index.js'
import { settle } from '../../websocket-stream/sides.js'
import { open, serve, WebSocket, WebSocketServer } from './support.js'

function wireOf(ws: WebSocket): Duplex {
  return (ws as unknown as { _socket: Duplex })._socket
}

/** Unlike `once`, it does not reject if an `error` comes first. */
function closing(ws: WebSocket): Promise<unknown[]> {
  return new Promise(resolve => ws.on('close', (...args) => resolve(args)))
}

t.test('the default export is the class, with the others as its properties', async t => {
  t.equal(wsDefault, WebSocket)
  t.equal(wsDefault.WebSocket, WebSocket)
  t.equal(wsDefault.Server, WebSocketServer)
  t.equal(wsDefault.WebSocketServer, WebSocketServer)
  t.equal(Server, WebSocketServer)
  t.equal(wsDefault.createWebSocketStream, createWebSocketStream)
  t.same([WebSocket.CONNECTING, WebSocket.OPEN, WebSocket.CLOSING, WebSocket.CLOSED], [0, 1, 2, 3])
})

t.test('messages of every form in both directions', async t => {
  const { client, server } = await open(t)
  server.on('message', (data, isBinary) => server.send(data as Buffer, { binary: isBinary }))
  const got: [RawData, boolean][] = []
  client.on('message', (data, isBinary) => got.push([data, isBinary]))
  const forms: [unknown, Buffer, boolean][] = [
    ['text', Buffer.from('text'), false],
    ['', Buffer.alloc(0), false],
    [42, Buffer.from('42'), false],
    [Buffer.from('bytes'), Buffer.from('bytes'), true],
    [new Uint16Array([1, 2]), Buffer.from([1, 0, 2, 0]), true],
    [new ArrayBuffer(3), Buffer.alloc(3), true],
    [[1, 2, 3], Buffer.from([1, 2, 3]), true],
    [undefined, Buffer.alloc(0), true],
    [null, Buffer.alloc(0), true],
    [new Blob(['blob']), Buffer.from('blob'), true],
    ['x'.repeat(100_000), Buffer.from('x'.repeat(100_000)), false]
  ]
  for (const [data] of forms) client.send(data as string)
  while (got.length < forms.length) await settle(1)
  t.same(
    got,
    forms.map(([, bytes, isBinary]) => [bytes, isBinary])
  )
})

t.test('the options of send: binary, compress, and fragments', async t => {
  const { client, server } = await open(t, { perMessageDeflate: { threshold: 0 } })
  t.equal(client.extensions, 'permessage-deflate')
  const got: [string, boolean][] = []
  server.on('message', (data, isBinary) => got.push([String(data), isBinary]))
  client.send('text as bytes', { binary: true })
  client.send(Buffer.from('bytes as text'), { binary: false, compress: false })
  client.send(new Blob(['blob']), { compress: false })
  client.send('in ', { fin: false })
  client.send('three ', { fin: false }, error => t.equal(error ?? null, null))
  await new Promise(resolve => client.send('pieces', { fin: true }, resolve))
  client.send(new Blob(['a ']), { fin: false })
  client.send(Buffer.from('message'))
  while (got.length < 5) await settle(1)
  t.same(got, [
    ['text as bytes', true],
    ['bytes as text', false],
    ['blob', true],
    ['in three pieces', false],
    ['a message', true]
  ])
})

t.test('callbacks run when the wire has written, and terminate does not drop data they reported', async t => {
  const { client, server } = await open(t)
  const message = once(server, 'message')
  const closed = closing(client)
  client.send(Buffer.alloc(8 * 2 ** 20), () => client.terminate())
  t.equal((await message)[0].length, 8 * 2 ** 20)
  await closed
  const late = await new Promise<Error | undefined>(resolve => client.send('late', resolve))
  t.match(late, { message: 'WebSocket is not open: readyState 3 (CLOSED)' })
  t.equal(client.bufferedAmount, 4)
  client.send(new Blob(['12']))
  client.ping('34')
  client.pong(Buffer.from('5'))
  t.equal(client.bufferedAmount, 9)
})

t.test('before it is open nothing can be sent, and closing aborts it', async t => {
  const { url } = await serve(t)
  for (const end of ['close', 'terminate'] as const) {
    const client = new WebSocket(url)
    t.equal(client.readyState, 0)
    t.equal(client.bufferedAmount, 0)
    t.equal(client.extensions, '')
    t.equal(client.protocol, '')
    t.throws(() => client.send('early'), { message: 'WebSocket is not open: readyState 0 (CONNECTING)' })
    t.throws(() => client.ping(), { message: 'WebSocket is not open: readyState 0 (CONNECTING)' })
    client.pause()
    client.resume()
    t.equal(client.isPaused, false)
    const closed = closing(client)
    const failed = once(client, 'error')
    client[end]()
    t.match(await failed, [{ message: 'WebSocket was closed before the connection was established' }])
    t.same(await closed, [1006, Buffer.alloc(0)])
    t.equal(client.readyState, 3)
    client.close()
    client.terminate()
  }
})

t.test('pings keep their order, and call back when they have been sent', async t => {
  const { client, server } = await open(t)
  const seen: string[] = []
  server.on('message', data => void seen.push(String(data)))
  server.on('ping', data => seen.push(`ping ${data}`))
  server.on('pong', data => seen.push(`pong ${data}`))
  client.send('first')
  client.ping('a', true, error => seen.push(`sent ${error}`))
  client.send('second')
  client.pong('b', () => {})
  client.ping(5)
  client.ping(() => {})
  const [payload] = await once(client, 'pong')
  t.equal(String(payload), 'a')
  while (seen.length < 6) await settle(1)
  t.same(
    seen.filter(line => !line.startsWith('sent')),
    ['first', 'ping a', 'second', 'pong b', 'ping 5', 'ping ']
  )
  t.throws(() => client.ping(Buffer.alloc(126)), { message: 'The data size must not be greater than 125 bytes' })
  t.throws(() => client.pong(new Blob(['x'])), TypeError)
  wireOf(server).pause()
  client.send(Buffer.alloc(16_000_000))
  const cut = new Promise<Error | undefined>(resolve => client.ping('late', true, resolve))
  client.terminate()
  t.ok((await cut) instanceof Error)
})

t.test('pings and pongs pass between the fragments of a message that has not ended, and call back', async t => {
  const { client, server } = await open(t, { perMessageDeflate: { threshold: 0 } })
  const seen: string[] = []
  server.on('message', data => void seen.push(String(data)))
  server.on('ping', data => seen.push(`ping ${data}`))
  server.on('pong', data => seen.push(`pong ${data}`))
  client.send('one ', { fin: false })
  const sent = new Promise<unknown>(resolve => client.ping('a', undefined, resolve))
  client.pong('b')
  t.equal(String((await once(client, 'pong'))[0]), 'a')
  t.notOk(await sent)
  t.same(seen, ['ping a', 'pong b'])
  client.send('message', { fin: true })
  client.ping('c')
  await once(server, 'ping')
  t.same(seen, ['ping a', 'pong b', 'one message', 'ping c'])
})

t.test('a Ping is a fence: its Pong comes after the replies to earlier messages', async t => {
  const { client, server } = await open(t)
  server.on('message', data => server.send(String(data)))
  const seen: string[] = []
  client.on('message', data => seen.push(String(data)))
  client.on('pong', data => seen.push(`pong ${data}`))
  client.send('a')
  client.send('b')
  client.ping('p')
  client.send('c')
  while (seen.length < 4) await once(client, 'message')
  t.same(seen, ['a', 'b', 'pong p', 'c'])
})

t.test('a Ping is answered between the fragments of a message', async t => {
  const { client, server } = await open(t)
  server.send('the end is far off', { fin: false })
  client.ping('p')
  t.equal(String((await once(client, 'pong'))[0]), 'p')
  server.send('the end', { fin: true })
  t.equal(String((await once(client, 'message'))[0]), 'the end is far offthe end')
  client.ping('q')
  t.equal(String((await once(client, 'pong'))[0]), 'q')
})

t.test('callbacks of pings and messages come in their order', async t => {
  const { client } = await open(t)
  const called: string[] = []
  const last = new Promise<void>(resolve => {
    client.send('a', () => called.push('a'))
    client.ping('', true, () => called.push('ping'))
    client.send('x'.repeat(100_000), () => called.push('large'))
    client.pong('', () => called.push('pong'))
    client.send('z', () => resolve())
  })
  await last
  t.same(called, ['a', 'ping', 'large', 'pong'])
  client.send('first of two', { fin: false })
  const between = new Promise(resolve => client.ping('', true, resolve))
  t.notOk(await between)
  client.send('second', { fin: true })
  client.terminate()
  t.ok(await new Promise(resolve => client.ping('late', true, resolve)))
})

t.test('bufferedAmount is what the wire has not taken', async t => {
  const { client } = await open(t)
  client.send('one')
  client.send('x'.repeat(1000))
  t.equal(client.bufferedAmount, 0)
})

t.test('bufferedAmount does not count the Close frame', async t => {
  const { client, server } = await open(t)
  wireOf(server).pause()
  while (client.bufferedAmount === 0) client.send(Buffer.alloc(1_000_000))
  const before = client.bufferedAmount
  client.close(1000, 'done')
  t.equal(client.bufferedAmount, before)
  client.terminate()
})

t.test("after terminate(), 'close' comes with that of the socket", async t => {
  const { client, server } = await open(t)
  const gone = once(server, 'close')
  const seen: string[] = []
  client._socket!.on('close', () => seen.push('socket'))
  client.terminate()
  await new Promise(process.nextTick)
  t.equal(client.readyState, 2)
  client.on('close', code => seen.push(`close ${code}`))
  await once(client, 'close')
  t.same(seen, ['socket', 'close 1006'])
  t.equal(client.readyState, 3)
  await gone
})

t.test('what console.log shows of an event', async t => {
  const { client, server } = await open(t)
  const shown: string[] = []
  client.onmessage = event => shown.push(inspect(event))
  client.onclose = event => shown.push(inspect(event))
  server.send('hello')
  server.close(4000, 'why')
  await once(client, 'close')
  t.same(shown, [
    "MessageEvent { data: 'hello', type: 'message' }",
    "CloseEvent { code: 4000, reason: 'why', wasClean: true, type: 'close' }"
  ])
})

t.test('without autoPong the application must answer', async t => {
  const { client, server } = await open(t, { autoPong: false })
  server.on('ping', data => server.pong(`not ${data}`))
  client.ping('yet')
  t.equal(String((await once(client, 'pong'))[0]), 'not yet')
})

t.test('close: codes and reasons in both directions', async t => {
  for (const [code, data, told] of [
    [undefined, undefined, [1005, '']],
    [1000, undefined, [1000, '']],
    [4000, 'why', [4000, 'why']],
    [3001, Buffer.from('bytes'), [3001, 'bytes']]
  ] as const) {
    const { client, server } = await open(t)
    const seen = [once(client, 'close'), once(server, 'close')]
    client.close(code, data as string)
    t.equal(client.readyState, 2)
    t.equal(client.bufferedAmount, 0)
    client.close()
    for (const closed of seen) {
      const [number, reason] = (await closed) as [number, Buffer]
      t.same([number, String(reason)], told)
    }
    t.equal(client.readyState, 3)
  }
  const { client } = await open(t)
  for (const code of [999, 1004, 1005, 1006, 1015, 2999, 5000, '1000']) {
    t.throws(() => client.close(code as number), { message: 'First argument must be a valid error code number' })
  }
  t.throws(() => client.close(1000, 'x'.repeat(124)), { message: 'The message must not be greater than 123 bytes' })
})

t.test('a peer that leaves without a Close causes close with 1006, and no error', async t => {
  const { client, server } = await open(t)
  client.on('error', () => t.fail('no error'))
  const closed = once(client, 'close')
  server.terminate()
  t.equal(server.readyState, 2)
  t.same(await closed, [1006, Buffer.alloc(0)])
})

t.test('binaryType: forms of binary messages, and of text', async t => {
  const { client, server } = await open(t)
  const got: unknown[] = []
  client.on('message', data => got.push(data))
  for (const type of ['arraybuffer', 'fragments', 'blob', 'nodebuffer'] as const) {
    client.binaryType = type
    client.binaryType = 'nonsense' as 'blob'
    t.equal(client.binaryType, type)
    server.send(Buffer.from('small'))
    server.send(Buffer.alloc(200_000, 1))
    server.send('text')
    while (got.length < 3) await settle(1)
    const [small, large, text] = got.splice(0)
    t.same(text, Buffer.from('text'))
    if (type === 'arraybuffer') {
      t.ok(small instanceof ArrayBuffer)
      t.equal(Buffer.from(small as ArrayBuffer).toString(), 'small')
      t.equal((large as ArrayBuffer).byteLength, 200_000)
    }
    if (type === 'fragments') t.same(small, [Buffer.from('small')])
    if (type === 'blob') t.equal(await (small as Blob).text(), 'small')
    if (type === 'nodebuffer') t.same(small, Buffer.from('small'))
  }
})

t.test('pause stops messages and pings; resume continues', async t => {
  const { client, server } = await open(t)
  const got: string[] = []
  client.on('message', data => got.push(String(data)))
  client.pause()
  t.equal(client.isPaused, true)
  server.send('kept')
  await new Promise(resolve => server.ping('x', true, resolve))
  await settle(20)
  t.same(got, [])
  client.resume()
  while (got.length === 0) await settle(1)
  t.same(got, ['kept'])
  client.on('message', () => client.pause())
  // in one chunk, after which the socket is paused
  server.send('one')
  server.send('two')
  await once(client, 'message')
  await settle(5)
  t.same(got, ['kept', 'one'])
  client.resume()
  while (got.length < 3) await settle(1)
  t.equal(client.isPaused, true)
  // both waited, so the listener is called inside of resume()
  server.send('three')
  server.send('four')
  client.resume()
  while (got.length < 4) await settle(1)
  await settle(5)
  client.resume()
  t.equal(got.length, 5)
  t.equal(wireOf(client).isPaused(), true, 'and pauses the wire too')
})

t.test('errors of the peer have the messages of ws, and close with 1006', async t => {
  const faults: [Buffer, string, string][] = [
    [Buffer.from([0xc1, 0x80, 0, 0, 0, 0]), 'WS_ERR_UNEXPECTED_RSV_1', 'Invalid WebSocket frame: RSV1 must be clear'],
    [
      Buffer.from([0xa1, 0x80, 0, 0, 0, 0]),
      'WS_ERR_UNEXPECTED_RSV_2_3',
      'Invalid WebSocket frame: RSV2 and RSV3 must be clear'
    ],
    [Buffer.from([0x85, 0x80, 0, 0, 0, 0]), 'WS_ERR_INVALID_OPCODE', 'Invalid WebSocket frame: invalid opcode 5'],
    [Buffer.from([0x80, 0x80, 0, 0, 0, 0]), 'WS_ERR_INVALID_OPCODE', 'Invalid WebSocket frame: invalid opcode 0'],
    [Buffer.from([0x81, 0x00]), 'WS_ERR_EXPECTED_MASK', 'Invalid WebSocket frame: MASK must be set'],
    [Buffer.from([0x09, 0x80, 0, 0, 0, 0]), 'WS_ERR_EXPECTED_FIN', 'Invalid WebSocket frame: FIN must be set'],
    [
      Buffer.from([0x89, 0xfe, 0, 126]),
      'WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH',
      'Invalid WebSocket frame: invalid payload length 126'
    ],
    [
      Buffer.from([0x88, 0x81, 0, 0, 0, 0, 1]),
      'WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH',
      'Invalid WebSocket frame: invalid payload length 1'
    ],
    [
      Buffer.from([0x88, 0x82, 0, 0, 0, 0, 3, 236]),
      'WS_ERR_INVALID_CLOSE_CODE',
      'Invalid WebSocket frame: invalid status code 1004'
    ],
    [
      Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0xff]),
      'WS_ERR_INVALID_UTF8',
      'Invalid WebSocket frame: invalid UTF-8 sequence'
    ],
    [
      Buffer.from([0x82, 0xfe, 0, 5]),
      'WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH',
      'Invalid WebSocket frame: invalid payload length undefined'
    ],
    [Buffer.from([0x82, 0xfe, 4, 1, 0, 0, 0, 0]), 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', 'Max payload size exceeded'],
    [
      Buffer.concat([Buffer.from([0x02, 0x80, 0, 0, 0, 0]), Buffer.alloc(6), Buffer.alloc(6)]),
      'WS_ERR_TOO_MANY_BUFFERED_PARTS',
      'Too many message fragments'
    ],
    [
      Buffer.from([0x82, 0xff, 0, 0xff, 0, 0, 0, 0, 0, 0]),
      'WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH',
      'Unsupported WebSocket frame: payload length > 2^53 - 1'
    ]
  ]
  for (const [bytes, code, message] of faults) {
    for (const i of [6, 12]) if (code === 'WS_ERR_TOO_MANY_BUFFERED_PARTS') bytes[i + 1] = 0x80
    const { client, server } = await open(t, { maxPayload: 1024, maxFragments: 2 })
    const closed = closing(server)
    const told = closing(client)
    const failed = once(server, 'error')
    ;(client as unknown as { _socket: { write(bytes: Buffer): void } })._socket.write(bytes)
    const [error] = (await failed) as [Error & { code: string }]
    t.equal(error.code, code, message)
    t.equal(error.message, message)
    t.equal(error instanceof RangeError, code !== 'WS_ERR_INVALID_UTF8')
    t.same(await closed, [1006, Buffer.alloc(0)])
    t.same((await told)[1], Buffer.alloc(0), 'the Close has no reason')
  }
  // a server must not mask
  const { client, server } = await open(t)
  const failed = once(client, 'error')
  ;(server as unknown as { _socket: { write(bytes: Buffer): void } })._socket.write(
    Buffer.from([0x81, 0x80, 0, 0, 0, 0])
  )
  t.match(await failed, [{ code: 'WS_ERR_UNEXPECTED_MASK' }])
})

t.test('malformed compressed data has the error code of zlib', async t => {
  const { client, server } = await open(t, { perMessageDeflate: true })
  const failed = once(server, 'error')
  ;(client as unknown as { _socket: { write(bytes: Buffer): void } })._socket.write(
    Buffer.from([0xc2, 0x84, 0, 0, 0, 0, 255, 255, 255, 255])
  )
  t.match(await failed, [{ code: 'Z_DATA_ERROR', errno: -3, message: 'invalid block type' }])
})

t.test("the WHATWG's interface: attributes and listeners", async t => {
  const { url, wss } = await serve(t)
  wss.on('connection', socket => socket.on('message', data => socket.send(String(data))))
  const client = new WebSocket(url)
  const seen: unknown[] = []
  client.onopen = event => void seen.push([event.type, event.target === client])
  client.onmessage = ({ data, type }) => void seen.push([type, data])
  client.onclose = ({ code, reason, wasClean }) => void seen.push([code, reason, wasClean])
  client.onerror = () => {}
  t.type(client.onopen, 'function')
  t.type(client.onmessage, 'function')
  t.type(client.onclose, 'function')
  client.onerror = null
  t.equal(client.onerror, null)
  const once_ = ({ data }: { data: unknown }): void => void seen.push(`once ${data}`)
  const handler = { handleEvent: ({ data }: { data: unknown }) => void seen.push(`object ${data}`) }
  const removed = (): void => void t.fail('it was removed')
  client.addEventListener('message', once_, { once: true })
  client.addEventListener('message', handler)
  client.addEventListener('message', handler)
  client.addEventListener('message', removed)
  client.removeEventListener('message', removed)
  client.removeEventListener('message', removed)
  client.addEventListener('nonsense' as 'message', removed)
  await once(client, 'open')
  client.send('a')
  client.send('b')
  while (seen.length < 6) await settle(1)
  client.onmessage = null
  client.close(1000, 'done')
  await once(client, 'close')
  t.same(seen, [
    ['open', true],
    ['message', 'a'],
    'once a',
    'object a',
    ['message', 'b'],
    'object b',
    [1000, 'done', true]
  ])
})

t.test('an error is an event with the error in it', async t => {
  const { url, wss } = await serve(t)
  wss.close()
  await once(wss, 'close')
  const client = new WebSocket(url)
  const { error, message } = await new Promise<{ error: Error; message: string }>(resolve => {
    client.onerror = event => {
      t.equal(client.readyState, 2)
      resolve(event)
    }
  })
  t.match(message, /ECONNREFUSED/)
  t.equal(error.message, message)
})

t.test('close follows even if an error listener throws', async t => {
  const { Uncaught } = await import('../../matrix/exceptions/uncaught.js')
  const { client, server } = await open(t)
  const uncaught = new Uncaught()
  uncaught.start()
  t.teardown(() => uncaught.stop())
  server.on('error', () => {
    throw new Error('the application')
  })
  const closed = closing(server)
  ;(client as unknown as { _socket: { write(bytes: Buffer): void } })._socket.write(
    Buffer.from([0x85, 0x80, 0, 0, 0, 0])
  )
  t.same(await closed, [1006, Buffer.alloc(0)])
  uncaught.stop()
  t.match(uncaught.errors, [{ message: 'the application' }])
})

t.test('a buffer may be reused as soon as send has returned', async t => {
  const { client, server } = await open(t)
  for (const [from, to] of [
    [client, server],
    [server, client]
  ] as const) {
    for (const size of [1, 4096, 4097, 60_000]) {
      const got: number[][] = []
      const all = new Promise<void>(resolve => {
        to.on('message', data => {
          got.push([(data as Buffer)[0]!, (data as Buffer).at(-1)!, (data as Buffer).length])
          if (got.length === 3) resolve()
        })
      })
      const buffer = Buffer.alloc(size)
      from.send(buffer.fill(1))
      from.send(buffer.fill(2), { compress: false })
      from.send(new DataView(buffer.fill(3).buffer, buffer.byteOffset, size))
      buffer.fill(9)
      await all
      t.same(
        got,
        [1, 2, 3].map(value => [value, value, size])
      )
      to.removeAllListeners('message')
    }
  }
  const got: number[][] = []
  const all = new Promise<void>(resolve => {
    server.on('message', data => {
      got.push([(data as Buffer)[0]!, (data as Buffer).at(-1)!])
      if (got.length === 6) resolve()
    })
  })
  const large = Buffer.alloc(1_000_000)
  for (let i = 1; i <= 5; i++) client.send(large.fill(i))
  client.send(large.subarray(0, 5000).fill(6))
  large.fill(9)
  await all
  t.same(
    got,
    [1, 2, 3, 4, 5, 6].map(value => [value, value]),
    'a client whose wire is full has copied them'
  )
})

t.test('close is written synchronously, after everything sent before: a program may exit', async t => {
  const { client } = await open(t)
  const written: number[] = []
  const wire = wireOf(client)
  const write = wire.write.bind(wire) as (...args: unknown[]) => boolean
  wire.write = ((chunk: Buffer, ...rest: unknown[]) => {
    written.push(chunk.length)
    return write(chunk, ...rest)
  }) as typeof wire.write
  client.send('bye')
  client.close(1001)
  t.same(written, [9, 8])
  await closing(client)
})

t.test('data sent before is written before terminate, and before the program uses the wire itself', async t => {
  const endings: ((ws: WebSocket) => void)[] = [
    ws => ws.terminate(),
    ws => wireOf(ws).end(),
    ws => wireOf(ws).destroy()
  ]
  for (const end of endings) {
    const { client, server } = await open(t)
    const got: string[] = []
    server.on('message', data => got.push(String(data)))
    const closed = closing(server)
    client.send('last')
    client.send(Buffer.from('words'))
    end(client)
    t.match(await closed, [1006])
    t.same(got, ['last', 'words'])
  }
})

t.test('a callback says what its message waited for when the connection ended, and runs before close', async t => {
  const cases: [ClientOptions, (client: WebSocket, sent: (error?: Error) => void) => void, string | null][] = [
    [{}, (client, sent) => client.send(new Blob(['a']), sent), 'the blob was being read'],
    [{}, (client, sent) => [client.send(new Blob(['a'])), client.send('b', sent)], 'the blob was being read'],
    [{ perMessageDeflate: true }, (client, sent) => client.send('c'.repeat(5e6), sent), 'data was being compressed'],
    [{}, (client, sent) => client.send('d', {}, sent), null]
  ]
  for (const [options, send, what] of cases) {
    const { client } = await open(t, { perMessageDeflate: true }, { perMessageDeflate: false, ...options })
    const seen: unknown[] = []
    client.on('close', () => seen.push('close'))
    const closed = closing(client)
    send(client, error => seen.push(error?.message))
    client.terminate()
    await closed
    t.equal(seen.length, 2)
    if (what !== null) t.equal(seen[0], `The socket was closed while ${what}`)
    t.equal(seen[1], 'close')
  }
})

t.test('the callback of a last fragment gets the error if it is lost, after those before it', async t => {
  const { client, server } = await open(t)
  wireOf(server).pause()
  const calls: [string, boolean][] = []
  const note = (name: string) => (error?: Error | null) => calls.push([name, Boolean(error)])
  while (client.bufferedAmount < 10_000_000) client.send(Buffer.alloc(1_000_000))
  client.send('a', { fin: false }, note('a'))
  client.send('b', { fin: true }, note('b'))
  client.on('error', () => {})
  server.on('error', () => {})
  const closed = closing(client)
  ;(wireOf(server) as Socket).resetAndDestroy()
  await closed
  await settle()
  t.same(calls, [
    ['a', true],
    ['b', true]
  ])
})

t.test('close waits for a message with a fragment that is a Blob, and those after it', async t => {
  for (const pieces of [
    ['a', new Blob(['b'])],
    [new Blob(['a']), 'b']
  ]) {
    const { client, server } = await open(t)
    const got: string[] = []
    server.on('message', data => got.push(String(data)))
    client.send(pieces[0]!, { fin: false })
    client.send(pieces[1]!)
    client.send('c')
    client.close(1000)
    await closing(server)
    t.same(got, ['ab', 'c'])
  }
})

t.test('an error after a Blob was read does not blame the Blob', async t => {
  const { client } = await open(t, {}, { perMessageDeflate: false })
  await new Promise(resolve => client.send(new Blob(['a']), resolve))
  await new Promise(resolve => client.send(new Blob(['b']), { fin: false }, resolve))
  const failed = new Promise<Error>(resolve => client.send('c', { fin: false }, resolve as () => void))
  client.terminate()
  t.notMatch(await failed, { message: /blob/ })
})

t.test('a Blob that cannot be read ends the connection', async t => {
  const { client } = await open(t)
  for (const options of [undefined, { fin: false }]) {
    const side = options === undefined ? client : (await open(t)).client
    const blob = new Blob(['gone'])
    const why = new Error('the file has changed')
    blob.arrayBuffer = () => Promise.reject(why)
    const closed = closing(side)
    const failed = new Promise(resolve => side.on('error', resolve))
    const told = new Promise(resolve => side.send(blob, options, resolve))
    t.equal(await told, why)
    t.equal(await failed, why)
    t.same((await closed)[0], 1006)
  }
})

t.test('an event target gets text as a string and bytes as a Buffer, and a clean close', async t => {
  const { client, server } = await open(t)
  const got: unknown[] = []
  client.addEventListener('message', ({ data }) => got.push(data))
  const closed = new Promise<unknown[]>(resolve =>
    client.addEventListener('close', ({ code, wasClean }) => resolve([code, wasClean]))
  )
  server.send('text')
  server.send(Buffer.from('bytes'))
  server.close(4000)
  t.same(await closed, [4000, true])
  t.same(got, ['text', Buffer.from('bytes')])
})

t.test('an unclean close is reported as such, whether or not the connection was ever open', async t => {
  const { client, server, url } = await open(t)
  const wasClean = (ws: WebSocket) => new Promise(resolve => ws.addEventListener('close', e => resolve(e.wasClean)))
  const cut = wasClean(client)
  server.terminate()
  t.equal(await cut, false)
  const never = new WebSocket(url)
  never.on('error', () => {})
  const given = wasClean(never)
  never.close()
  t.equal(await given, false)
})

t.test('the properties and methods of a program, and of its subclass, are kept', async t => {
  class Player extends WebSocket {
    sender = 'me'
    phase = 'lobby'
    core = 1
    address = 'home'
    requests = 0
    paused = true
    received: string[] = []
    receive(text: string): void {
      this.received.push(text)
    }
    fail(): never {
      throw new Error('the game is lost')
    }
    ended = true
    broke = true
    control = null
    adopt = null
  }
  const { wss, url } = await serve(t)
  Object.assign(wss, { state: 'lobby', connected: 0, verify: null, complete: false, use: null, closed: false })
  wss.on('connection', server => {
    Object.assign(server, { type: 'viewer', id: 7, closeSize: -1, wasClean: 'yes' })
    server.on('message', (data, isBinary) => server.send(data, { binary: isBinary }))
  })
  const client = new Player(url)
  await once(client, 'open')
  client.on('message', data => client.receive(String(data)))
  client.send('text')
  client.send(Buffer.from('bytes'), {})
  client.ping()
  while (client.received.length < 2) await once(client, 'message')
  t.same(client.received, ['text', 'bytes'])
  client.close(4000, 'bye')
  t.same(await closing(client), [4000, Buffer.from('bye')])
  const own = Object.keys(new WebSocket(url).on('error', () => {})).filter(name => !name.startsWith('_'))
  t.same(own, [], 'no name of ours is among those of a WebSocket')
})

t.test('members with an underscore that programs read', async t => {
  const { client, server, url } = await open(t, {}, {})
  const read = (ws: WebSocket) => {
    const { _isServer, _protocol, _readyState, _url } = ws as unknown as Record<string, unknown>
    return { _isServer, _protocol, _readyState, _url }
  }
  t.same(read(client), { _isServer: false, _protocol: '', _readyState: WebSocket.OPEN, _url: url })
  t.same(read(server), { _isServer: true, _protocol: '', _readyState: WebSocket.OPEN, _url: undefined })
  Object.assign(client, { _isServer: 'mine' })
  t.match(read(client), { _isServer: 'mine', _protocol: '' })
  t.match(read(server), { _isServer: true })
})
