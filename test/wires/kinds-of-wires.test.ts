// Wires of every kind: paused sockets, chunks that are not Buffers, streams with an encoding, streams that never emit 'close'.

import { once } from 'node:events'
import { type AddressInfo, connect, createServer, Socket } from 'node:net'
import { Duplex, type DuplexOptions } from 'node:stream'
import t from 'tap'
import { WebSocketStream } from '../../lib/index.js'
import { MemoryEnd } from '../matrix/memory-wire.js'
import { pair } from '../support/pair.js'
import { answerHead, BINARY, RawPeer, requestHead, TEXT, wireFrame } from '../support/raw-peer.js'
import { joinTo, make, open, rejection, settle, shake, tcpPair } from '../websocket-stream/sides.js'

const ROLES = ['server', 'client'] as const
const JOINS = ['attach', 'pipe'] as const
const SIDES = ROLES.flatMap(role => JOINS.map(join => ({ role, join, wire: 'memory' as const })))
const nameOf = ({ role, join }: (typeof SIDES)[number]): string => `${role}, ${join}`
const other = (role: 'server' | 'client'): 'server' | 'client' => (role === 'client' ? 'server' : 'client')

for (const side of SIDES) {
  t.test(`a chunk that a wire in memory gives twice is read twice, and is not modified: ${nameOf(side)}`, async t => {
    const { ws, socket } = await open(t, side)
    const got: unknown[] = []
    ws.on('message', message => got.push(message))
    for (const size of [5, 125, 2000, 70_000]) {
      const recorded = wireFrame(TEXT, 'x'.repeat(size), { masked: side.role === 'server' })
      const before = Buffer.from(recorded)
      for (let i = 0; i < 2; i++) {
        socket.push(recorded)
        await settle()
        t.ok(recorded.equals(before), `the chunk with ${size} bytes is as it was`)
      }
      t.same(got.splice(0), ['x'.repeat(size), 'x'.repeat(size)])
    }
  })
}

for (const { role, join } of SIDES) {
  t.test(`a paused socket is read: ${role}, ${join}`, { timeout: 60_000 }, async t => {
    const server = createServer({ pauseOnConnect: role === 'server' })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const dialled = connect(port, '127.0.0.1')
    const [accepted] = (await once(server, 'connection')) as [Socket]
    server.close()
    const [ours, theirs] = role === 'server' ? [accepted, dialled] : [dialled, accepted]
    const peer = new RawPeer(theirs, other(role))
    const ws = make(role)
    t.teardown(() => {
      ws.destroy()
      theirs.destroy()
    })
    if (role === 'server') {
      peer.write(requestHead())
      await settle(20)
    } else {
      ours.pause()
    }
    t.equal(ours.isPaused(), true)
    joinTo(ws, ours, join)
    const head = await peer.head()
    if (role === 'client') peer.write(answerHead(head))
    await ws.opened
    const got = once(ws, 'message')
    peer.text('hello')
    t.same(await got, ['hello'])
  })

  t.test(`a paused stream in memory is read: ${role}, ${join}`, async t => {
    const [left, right] = pair()
    const peer = new RawPeer(right, other(role))
    const ws = make(role)
    t.teardown(() => ws.destroy())
    left.pause()
    joinTo(ws, left, join)
    await shake(peer, role)
    await ws.opened
  })

  t.test(`chunks may be Uint8Arrays: ${role}, ${join}`, async t => {
    const [left, right] = MemoryEnd.pair(true)
    const [ws, far] = [make(role), make(other(role))]
    t.teardown(() => {
      ws.destroy()
      far.destroy()
    })
    joinTo(ws, left, join)
    joinTo(far, right, join)
    await Promise.all([ws.opened, far.opened])
    const got = once(ws, 'message')
    far.text('to us')
    t.same(await got, ['to us'])
    const theirs = once(far, 'message')
    ws.binary(Buffer.alloc(70_000, 7))
    t.same(await theirs, [Buffer.alloc(70_000, 7)])
    ws.close(4000)
    t.match(await far.whenClosed(), { code: 4000, wasClean: true })
    t.match(await ws.whenClosed(), { code: 4000, wasClean: true })
  })

  t.test(`a stream of strings is refused at once: ${role}, ${join}`, async t => {
    const [left] = pair()
    left.setEncoding('utf8')
    const ws = make(role)
    t.teardown(() => ws.destroy())
    const error = { name: 'TypeError', message: "the stream has setEncoding('utf8'); a WebSocket needs its bytes" }
    t.throws(() => joinTo(ws, left, join), error)
    left.destroy()
  })
}

for (const role of ROLES) {
  t.test(`an attached stream that gives strings later ends the connection: ${role}`, async t => {
    const { ws, peer, socket, closes } = await open(t, { role, join: 'attach', wire: 'memory' })
    const errors: (Error & { cause?: unknown })[] = []
    ws.on('error', error => errors.push(error))
    ws.on('message', () => {})
    socket.setEncoding('utf8')
    peer.send(BINARY, 'bytes')
    t.match(await ws.whenClosed(), { code: 1006, wasClean: false })
    await settle()
    t.equal(closes.length, 1)
    t.match(errors, [
      { code: 'WS_ERR_CONNECTION_LOST', cause: new TypeError('the attached stream must give bytes, not string') }
    ])
    t.equal(socket.destroyed, true)
  })
}

/** A pair of streams that end as their options say. */
function endsWith(options: DuplexOptions): [Duplex, Duplex] {
  const ends = [0, 1].map(
    i =>
      new Duplex({
        ...options,
        read() {},
        write(chunk, _encoding, callback) {
          ends[1 - i]!.push(Buffer.from(chunk))
          callback()
        },
        final(callback) {
          ends[1 - i]!.push(null)
          callback()
        }
      })
  )
  return ends as [Duplex, Duplex]
}

const SILENT: Record<string, DuplexOptions> = {
  'autoDestroy: false': { autoDestroy: false },
  'emitClose: false': { emitClose: false },
  both: { autoDestroy: false, emitClose: false }
}
// nothing here may depend on a timer
const NEVER = { closeTimeout: Number.POSITIVE_INFINITY }

for (const role of ROLES) {
  t.test(`an idle timeout of an attached socket is removed: ${role}`, async t => {
    const [left] = await tcpPair(t, role === 'client')
    left.setTimeout(60_000)
    make(role)
      .on('error', () => {})
      .attach(left)
    t.equal(left.timeout, 0)
  })
}

for (const [name, options] of Object.entries(SILENT)) {
  for (const { role, join } of SIDES) {
    t.test(
      `a wire with ${name} never emits 'close', and is not waited for: ${role}, ${join}`,
      { timeout: 8000 },
      async t => {
        for (const closer of ['us', 'the peer'] as const) {
          const [left, right] = endsWith(options)
          const ws = make(role, NEVER)
          const far = make(other(role), NEVER)
          joinTo(ws, left, join)
          joinTo(far, right, join)
          ws.messages.resume()
          far.messages.resume()
          await Promise.all([ws.opened, far.opened])
          ;(closer === 'us' ? ws : far).close(4000)
          t.match(await ws.whenClosed(), { code: 4000, wasClean: true }, `closed by ${closer}`)
          t.match(await far.whenClosed(), { code: 4000, wasClean: true })
        }
      }
    )

    t.test(
      `a connection is over although its wire never emits 'close', when it is destroyed or the wire ends: ${name}, ${role}, ${join}`,
      { timeout: 8000 },
      async t => {
        for (const how of ['destroy', 'end', 'error'] as const) {
          const [left, right] = endsWith(options)
          const ws = make(role, NEVER)
          joinTo(ws, left, join)
          const peer = new RawPeer(right, other(role))
          await shake(peer, role)
          await ws.opened
          if (how === 'destroy') ws.destroy()
          else if (how === 'end') right.end()
          else left.destroy(new Error('broken'))
          t.match(await ws.whenClosed(), { code: 1006, wasClean: false }, how)
        }
      }
    )
  }
}

t.test('the stream of the wire of an attached connection cannot be read as a stream', async t => {
  const { ws } = await open(t, { role: 'server', join: 'attach', wire: 'memory' })
  const read = async (): Promise<void> => {
    for await (const _ of ws);
  }
  const message = 'the bytes of ws go to the attached stream; to read messages, iterate ws.messages'
  t.match(await rejection(read()), { name: 'TypeError', message })
  t.equal(ws.readyState, 'open')
})

t.test('a program that transports the bytes itself may iterate over them', async t => {
  const ws = WebSocketStream.server()
  t.teardown(() => ws.destroy())
  const bytes: Buffer[] = []
  const reading = (async () => {
    for await (const chunk of ws) bytes.push(chunk)
  })()
  ws.write(requestHead())
  await ws.opened
  ws.on('message', message => ws.text(`echo ${message}`))
  ws.write(wireFrame(TEXT, 'hello', { masked: true }))
  await settle()
  ws.close()
  ws.write(wireFrame(8, Buffer.from([3, 232]), { masked: true }))
  await reading
  const all = Buffer.concat(bytes)
  t.match(all.toString('latin1'), /^HTTP\/1\.1 101 /)
  t.ok(all.includes('echo hello'))
})

/** A socket as test tools make it: never connected, with its peer in memory. */
class StandIn extends Socket {
  readonly far: Duplex

  constructor() {
    super()
    Object.defineProperty(this, 'connecting', { value: false })
    this.far = new Duplex({
      read() {},
      write: (chunk, _encoding, callback) => {
        this.push(Buffer.from(chunk))
        callback()
      }
    })
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, callback: () => void): void {
    this.far.push(Buffer.from(chunk))
    callback()
  }

  override _writev(chunks: { chunk: Buffer }[], callback: () => void): void {
    for (const { chunk } of chunks) this.far.push(Buffer.from(chunk))
    callback()
  }
}

/** Ways in which others get the chunks of a socket without a listener for 'data'. */
const TAPS: Record<string, (socket: Duplex, keep: (chunk: Buffer) => void) => void> = {
  "a listener for 'readable' that reads": (socket, keep) => {
    socket.on('readable', () => {
      for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) keep(chunk)
    })
  },
  'a tool that wraps emit': (socket, keep) => {
    const { emit } = socket
    socket.emit = function (name: string | symbol, ...args: unknown[]) {
      if (name === 'data') keep(args[0] as Buffer)
      return Reflect.apply(emit, this, [name, ...args]) as boolean
    }
  },
  'a tool that wraps push': (socket, keep) => {
    const { push } = socket
    socket.push = function (chunk: unknown) {
      if (chunk !== null) keep(chunk as Buffer)
      return push.call(this, chunk)
    }
  }
}

for (const role of ROLES) {
  for (const join of JOINS) {
    for (const [what, tap] of Object.entries(TAPS)) {
      t.test(`${what} may keep the chunks of a socket: ${role}, ${join}`, async t => {
        const { ws, socket, peer } = await open(t, { role, join, wire: 'tcp' })
        const kept: Buffer[] = []
        tap(socket, chunk => kept.push(chunk))
        ws.on('message', () => {})
        const sent = [50_000, 200_000].map(size => wireFrame(TEXT, 'x'.repeat(size), { masked: role === 'server' }))
        for (const bytes of sent) {
          const got = once(ws, 'message')
          peer.write(bytes)
          await got
        }
        t.ok(Buffer.concat(kept).equals(Buffer.concat(sent)))
      })
    }
  }

  for (const join of JOINS) {
    t.test(`a listener that removes itself may keep the chunk: ${role}, ${join}`, async t => {
      const { ws, socket, peer } = await open(t, { role, join, wire: 'tcp' })
      ws.on('message', () => {})
      for (const size of [50_000, 200_000]) {
        const bytes = wireFrame(TEXT, 'x'.repeat(size), { masked: role === 'server' })
        const first = new Promise<Buffer>(resolve => socket.prependOnceListener('data', resolve))
        const got = once(ws, 'message')
        peer.write(bytes)
        await got
        const kept = await first
        t.ok(kept.length > 0 && kept.equals(bytes.subarray(0, kept.length)), `${size} bytes`)
      }
    })
  }

  for (const join of JOINS) {
    for (const method of ['unshift', 'push'] as const) {
      t.test(`bytes that a program gives to a socket by ${method} remain as they are: ${role}, ${join}`, async t => {
        const { ws, socket, peer } = await open(t, { role, join, wire: 'tcp' })
        for (const opcode of [TEXT, BINARY]) {
          for (const isPaused of [false, true]) {
            const bytes = wireFrame(opcode, 'x'.repeat(50_000), { masked: role === 'server' })
            const given = Buffer.allocUnsafeSlow(bytes.length)
            bytes.copy(given)
            const got = once(ws, 'message')
            if (isPaused) socket.pause()
            socket[method](given)
            socket.resume()
            t.equal(String((await got)[0]), 'x'.repeat(50_000))
            t.ok(given.equals(bytes), `${opcode === TEXT ? 'text' : 'binary'}${isPaused ? ', paused' : ''}`)
          }
        }
        // what the socket itself reads from now on arrives too
        const got = once(ws, 'message')
        peer.write(wireFrame(TEXT, 'y'.repeat(50_000), { masked: role === 'server' }))
        t.equal((await got)[0], 'y'.repeat(50_000))
      })
    }
  }

  t.test(`what other code pushes into a socket without a handle remains as it is: ${role}`, async t => {
    const socket = new StandIn()
    const ws = make(role).attach(socket)
    t.teardown(() => ws.destroy())
    const peer = new RawPeer(socket.far, other(role))
    await shake(peer, role)
    await ws.opened
    const bytes = wireFrame(TEXT, 'x'.repeat(50_000), { masked: role === 'server' })
    const pushed = Buffer.allocUnsafeSlow(bytes.length)
    bytes.copy(pushed)
    const got = once(ws, 'message')
    socket.push(pushed)
    await got
    t.ok(pushed.equals(bytes))
  })
}
