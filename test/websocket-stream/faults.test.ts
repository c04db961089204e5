// A peer that breaks the rules: the Close frame it gets, the messages delivered before, and who gets the error.

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { WebSocketError, type WebSocketOptions, WebSocketStream } from '../../lib/index.js'
import { pair } from '../support/pair.js'
import {
  BINARY,
  CLOSE,
  closeBody,
  PING,
  RawPeer,
  readClose,
  requestHead,
  TEXT,
  wireFrame
} from '../support/raw-peer.js'
import { collect, nameOf, open, SETUPS, settle } from './sides.js'

interface Fault {
  name: string
  bytes(peer: RawPeer): Buffer
  code: number
  error: string
  options?: WebSocketOptions
}

const FAULTS: readonly Fault[] = [
  { name: 'a reserved bit', bytes: p => p.frame(TEXT, '', { rsv: 4 }), code: 1002, error: 'WS_ERR_UNEXPECTED_RSV' },
  { name: 'an unknown opcode', bytes: p => p.frame(3), code: 1002, error: 'WS_ERR_INVALID_OPCODE' },
  {
    name: 'the wrong masking',
    bytes: p => p.frame(TEXT, 'a', { masked: p.role !== 'client' }),
    code: 1002,
    error: 'WS_ERR_'
  },
  {
    name: 'a Ping in fragments',
    bytes: p => p.frame(PING, 'a', { fin: false }),
    code: 1002,
    error: 'WS_ERR_CONTROL_FRAGMENTED'
  },
  {
    name: 'a Ping too long',
    bytes: p => p.frame(PING, Buffer.alloc(126)),
    code: 1002,
    error: 'WS_ERR_CONTROL_TOO_LARGE'
  },
  {
    name: 'a continuation of nothing',
    bytes: p => p.frame(0, 'a'),
    code: 1002,
    error: 'WS_ERR_UNEXPECTED_CONTINUATION'
  },
  {
    name: 'a message within a message',
    bytes: p => Buffer.concat([p.frame(TEXT, 'a', { fin: false }), p.frame(TEXT, 'b')]),
    code: 1002,
    error: 'WS_ERR_EXPECTED_CONTINUATION'
  },
  {
    name: 'text that is none',
    bytes: p => p.frame(TEXT, Buffer.from([0xff])),
    code: 1007,
    error: 'WS_ERR_INVALID_UTF8'
  },
  {
    name: 'text that is none, seen before its end',
    bytes: p => p.frame(TEXT, Buffer.from([0xff, 0x41]), { fin: false }),
    code: 1007,
    error: 'WS_ERR_INVALID_UTF8'
  },
  {
    name: 'a message too large',
    bytes: p => Buffer.concat([p.frame(BINARY, Buffer.alloc(60), { fin: false }), p.frame(0, Buffer.alloc(60))]),
    code: 1009,
    error: 'WS_ERR_MESSAGE_TOO_LARGE',
    options: { maxMessageSize: 100 }
  },
  {
    name: 'a frame too large, of which only the header has come',
    bytes: p => p.frame(BINARY, '', { declared: 101 }),
    code: 1009,
    error: 'WS_ERR_FRAME_TOO_LARGE',
    options: { maxFrameSize: 100 }
  },
  {
    name: 'too many fragments',
    bytes: p => Buffer.concat([p.frame(TEXT, '', { fin: false }), p.frame(0, '', { fin: false }), p.frame(0, '')]),
    code: 1008,
    error: 'WS_ERR_TOO_MANY_FRAGMENTS',
    options: { maxFragments: 2 }
  },
  { name: 'a Close of one byte', bytes: p => p.frame(CLOSE, 'a'), code: 1002, error: 'WS_ERR_INVALID_CLOSE_PAYLOAD' },
  {
    name: 'a Close with 1006',
    bytes: p => p.frame(CLOSE, closeBody(1006)),
    code: 1002,
    error: 'WS_ERR_INVALID_CLOSE_CODE'
  },
  {
    name: 'a Close whose reason is not UTF-8',
    bytes: p => p.frame(CLOSE, Buffer.from([3, 232, 0xff])),
    code: 1007,
    error: 'WS_ERR_INVALID_UTF8'
  }
]

for (const { name, bytes, code, error, options } of FAULTS) {
  t.test(`${name} ends the connection with ${code}`, async t => {
    for (const setup of SETUPS) {
      t.test(nameOf(setup), { timeout: 8000 }, async t => {
        const { ws, peer, closes } = await open(t, setup, options)
        const errors: WebSocketError[] = []
        const messages: unknown[] = []
        ws.on('error', error => errors.push(error as WebSocketError))
        ws.on('message', message => messages.push(message))
        peer.write(peer.frame(TEXT, 'one'), peer.frame(TEXT, 'two'), bytes(peer), peer.frame(TEXT, 'after'))
        const said = readClose(await peer.nextFrame())
        t.equal(said.code, code)
        t.ok(said.reason.length > 0)
        await peer.ended()
        t.same(await peer.allFrames(), [])
        peer.end()
        t.same(await ws.whenClosed(), { ...said, wasClean: false, initiator: 'local' })
        await settle()
        t.same(messages, ['one', 'two'], 'what came before was delivered')
        t.equal(closes.length, 1)
        t.equal(errors.length, 1)
        t.ok(errors[0] instanceof WebSocketError)
        t.ok(errors[0]!.code.startsWith(error))
        t.match(errors[0], { closeCode: code, fault: 'peer' })
      })
    }
  })
}

for (const setup of SETUPS) {
  t.test(`without faultReasons the Close has only its code: ${nameOf(setup)}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await open(t, setup, { faultReasons: false })
    peer.write(peer.frame(3))
    t.same(readClose(await peer.nextFrame()), { code: 1002, reason: '' })
    peer.end()
    t.match(await ws.whenClosed(), { code: 1002, reason: /opcode/ }, 'this side is told all the same')
  })

  t.test(`iterating throws the error, after earlier messages: ${nameOf(setup)}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await open(t, setup)
    peer.write(peer.frame(TEXT, 'one'), peer.frame(TEXT, 'two'), peer.frame(3))
    const { got, error } = await collect(ws.messages)
    t.same(got, ['one', 'two'])
    t.match(error, { code: 'WS_ERR_INVALID_OPCODE' })
    peer.end()
    t.match(await ws.whenClosed(), { code: 1002 })
  })

  t.test(
    `A28: without any listener an error of the peer has no other effect: ${nameOf(setup)}`,
    { timeout: 8000 },
    async t => {
      const { ws, peer, closes } = await open(t, setup)
      peer.write(peer.frame(3))
      t.equal(readClose(await peer.nextFrame()).code, 1002)
      await peer.ended()
      peer.end()
      t.match(await ws.whenClosed(), { code: 1002, wasClean: false })
      await settle()
      t.equal(closes.length, 1)
    }
  )

  t.test(
    `an error of the peer after our own Close sends no second one: ${nameOf(setup)}`,
    { timeout: 8000 },
    async t => {
      const { ws, peer } = await open(t, setup)
      ws.close(3000)
      t.equal(readClose(await peer.nextFrame()).code, 3000)
      peer.write(peer.frame(3), peer.frame(CLOSE))
      await peer.ended()
      t.same(await peer.allFrames(), [])
      peer.end()
      t.match(await ws.whenClosed(), { code: 1002, wasClean: false, initiator: 'local' })
    }
  )

  t.test(`A29: messages that had arrived before a reset are delivered: ${nameOf(setup)}`, async t => {
    const { ws, peer, closes } = await open(t, setup)
    const heard = once(ws, 'message')
    peer.text('one')
    t.same(await heard, ['one'])
    const all = collect(ws.messages)
    peer.write(peer.frame(TEXT, 'two'), peer.frame(TEXT, 'three'), peer.frame(TEXT, 'four'))
    await settle(10)
    peer.reset()
    const { got, error } = await all
    t.same(got, ['two', 'three', 'four'])
    t.match(error, { code: 'WS_ERR_CONNECTION_LOST', fault: 'peer', closeCode: 1006 })
    t.match(await ws.whenClosed(), { code: 1006 })
    await settle()
    t.equal(closes.length, 1)
  })

  t.test(`A29: also if they were not read yet: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    peer.write(peer.frame(TEXT, 'one'), peer.frame(TEXT, 'two'), peer.frame(TEXT, 'three'))
    await settle(10)
    peer.reset()
    await peer.closed
    await settle(10)
    const { got, error } = await collect(ws.messages)
    t.same(got, ['one', 'two', 'three'])
    t.match(error, { code: 'WS_ERR_CONNECTION_LOST' })
  })

  t.test(`A29: also if a message of ours still waits for the wire: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup, { highWaterMark: 1000 })
    peer.stream.pause()
    ws.messages.on('error', () => {})
    while (ws.messages.write(Buffer.alloc(100_000))) await settle(1)
    for (let i = 0; i < 3; i++) ws.messages.write(Buffer.alloc(1000), () => {})
    peer.write(peer.frame(TEXT, 'one'), peer.frame(TEXT, 'two'), peer.frame(TEXT, 'three'))
    await settle(10)
    peer.reset()
    await peer.closed
    await settle(10)
    const { got, error } = await collect(ws.messages)
    t.same(got, ['one', 'two', 'three'])
    t.match(error, { name: 'WebSocketError' })
    t.match(await ws.whenClosed(), { code: 1006 })
  })
}

class Contrary extends Duplex {
  constructor(readonly late: Error) {
    super()
  }
  override _read(): void {}
  override _write(_chunk: Buffer, _encoding: string, callback: () => void): void {
    callback()
  }
  override _destroy(_error: Error | null, callback: (error: Error) => void): void {
    setImmediate(() => setImmediate(() => callback(this.late)))
  }
}

for (const join of ['attach', 'pipe'] as const) {
  t.test(`A27: an error of the wire after the end is ignored: ${join}`, async t => {
    const wire = new Contrary(new Error('late'))
    const ws = WebSocketStream.server()
    if (join === 'attach') ws.attach(wire)
    else wire.pipe(ws).pipe(wire)
    await settle(1)
    ws.destroy()
    t.match(await ws.whenClosed(), { code: 1006 })
    await settle()
    t.equal(wire.closed, true)
    wire.emit('error', new Error('later still'))
  })

  t.test(`A27: a wire that breaks twice: ${join}`, async t => {
    const [left, right] = pair()
    const peer = new RawPeer(right, 'client')
    const ws = WebSocketStream.server()
    const errors: Error[] = []
    ws.on('error', error => errors.push(error))
    if (join === 'attach') ws.attach(left)
    else left.pipe(ws).pipe(left)
    peer.write(requestHead())
    await ws.opened
    left.destroy(new Error('first'))
    left.emit('error', new Error('second'))
    t.match(await ws.whenClosed(), { code: 1006, initiator: 'peer' })
    t.match(errors, [{ code: 'WS_ERR_CONNECTION_LOST' }])
    t.ok((errors[0] as Error).cause)
  })
}

t.test('a wire that is destroyed, or has ended, before it is attached', async t => {
  for (const state of ['destroyed', 'ended'] as const) {
    const [left, right] = pair()
    if (state === 'destroyed') {
      left.destroy()
    } else {
      right.end()
      left.resume()
      await once(left, 'end')
    }
    const ws = WebSocketStream.server().attach(left)
    t.match(await ws.whenClosed(), { code: 1006, wasClean: false, initiator: 'peer' })
    right.destroy()
  }
})

t.test('two different streams for the two directions', async t => {
  const wires = async () => {
    const [inner, peerOut] = pair()
    const [outer, peerIn] = pair()
    const ws = WebSocketStream.server()
    inner.pipe(ws).pipe(outer)
    const peer = new RawPeer(peerIn, 'client')
    peerOut.on('error', () => {})
    peerOut.write(requestHead())
    await peer.head()
    t.teardown(() => ws.destroy())
    return { ws, inner, outer, peerOut, peer }
  }
  t.test('close together', async t => {
    const { ws, inner, outer, peerOut, peer } = await wires()
    peerOut.write(wireFrame(CLOSE, closeBody(1000), { masked: true }))
    readClose(await peer.nextFrame())
    await peer.ended()
    peerOut.end()
    peer.end()
    t.match(await ws.whenClosed(), { code: 1000, wasClean: true })
    void [inner, outer]
  })
  t.test('the incoming one fails with an error', { timeout: 8000 }, async t => {
    const { ws, inner, outer } = await wires()
    inner.destroy(new Error('broken'))
    t.match(await ws.whenClosed(), { code: 1006, initiator: 'peer' })
    void outer
  })
  t.test('the incoming one is destroyed', { timeout: 8000 }, async t => {
    const { ws, inner } = await wires()
    inner.destroy()
    t.match(await ws.whenClosed(), { code: 1006 })
  })
  t.test('the outgoing one fails with an error', { timeout: 8000 }, async t => {
    const { ws, outer } = await wires()
    outer.destroy(new Error('broken'))
    t.match(await ws.whenClosed(), { code: 1006, initiator: 'peer' })
  })
})

t.test('A28: in its own process, without any listener, the process survives', async t => {
  const script = fileURLToPath(new URL('faulty-peer.ts', import.meta.url))
  const child: ChildProcess = fork(script, [], { stdio: ['ignore', 'inherit', 'pipe', 'ipc'] })
  t.teardown(() => child.kill('SIGKILL'))
  let complaint = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => (complaint += text))
  const said: unknown[] = []
  child.on('message', line => said.push(line))
  const [status] = await once(child, 'close')
  t.equal(status, 0, complaint)
  t.same(said, [
    ['attach', 'server', 1002],
    ['attach', 'client', 1002],
    ['pipe', 'server', 1002],
    ['pipe', 'client', 1002],
    ['attach', 'refused', 1006],
    ['pipe', 'refused', 1006],
    ['attach', 'reset', 1006],
    ['pipe', 'reset', 1006],
    ['attach', 'destroyed', 1006],
    ['pipe', 'destroyed', 1006]
  ])
})
