// Closing, pinging, timing out and aborting.

import { once } from 'node:events'
import t, { type Test } from 'tap'
import { CloseCode, WebSocketStream } from '../../lib/index.js'
import { CLOSE, closeBody, PING, PONG, type RawPeer, readClose, requestHead, TEXT } from '../support/raw-peer.js'
import { fresh, IN_MEMORY, nameOf, open, ours, rejection, SETUPS, settle, shake, within } from './sides.js'

const SERVER = { role: 'server', join: 'attach', wire: 'memory' } as const

for (const setup of IN_MEMORY) {
  t.test(`close(): ${nameOf(setup)}`, async t => {
    t.test('sends code and reason, after the messages that wait, once', async t => {
      const { ws, peer } = await open(t, setup)
      ws.text('one')
      ws.messages.write('two')
      ws.close(4999, 'ü'.repeat(61))
      ws.close(3000, 'again')
      ws.messages.end()
      t.equal(ws.readyState, 'closing')
      t.equal(ws.closeInfo, undefined)
      t.equal(String((await peer.nextFrame())!.payload), 'one')
      t.equal(String((await peer.nextFrame())!.payload), 'two')
      t.same(await peer.answerClose(), { code: 4999, reason: 'ü'.repeat(61) })
      t.same(await peer.allFrames(), [])
      t.same(await ws.whenClosed(), { code: 4999, reason: 'ü'.repeat(61), wasClean: true, initiator: 'local' })
    })

    for (const code of [1000, 1001, 1002, 1003, 1007, 1014, 3000, 4999]) {
      t.test(`accepts ${code}`, async t => {
        const { ws, peer } = await open(t, setup)
        ws.close(code)
        t.same(await peer.answerClose(), { code, reason: '' })
        t.match(await ws.whenClosed(), { code, wasClean: true })
      })
    }

    t.test('throws for codes that must not be sent, and sends nothing', async t => {
      const { ws, peer } = await open(t, setup)
      for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65536, -1, 1000.5, Number.NaN]) {
        t.throws(() => ws.close(code), RangeError, String(code))
      }
      for (const code of ['1000', {}, 1000n]) t.throws(() => ws.close(code as number), TypeError)
      for (const reason of [5, null, {}]) t.throws(() => ws.close(1000, reason as string), TypeError)
      t.throws(() => ws.close(1000, 'ü'.repeat(62)), RangeError)
      t.equal(ws.readyState, 'open')
      ws.text('still here')
      t.equal(String((await peer.nextFrame())!.payload), 'still here')
    })

    t.test('without arguments sends 1000, and CloseCode has the names', async t => {
      const { ws, peer } = await open(t, setup)
      ws.close()
      t.same(await peer.answerClose(), { code: CloseCode.Normal, reason: '' })
    })

    t.test('is sent after messages that wait for a blocked wire', async t => {
      const { ws, peer } = await open(t, setup, { highWaterMark: 10 })
      peer.stream.pause()
      const size = 50_000
      for (let i = 0; i < 4; i++) ws.messages.write(Buffer.alloc(size, i))
      ws.close(3000, 'first')
      ws.close(3001, 'second')
      t.equal(ws.text('late'), false)
      await settle()
      peer.stream.resume()
      for (let i = 0; i < 4; i++) t.ok((await peer.nextFrame())!.payload.equals(Buffer.alloc(size, i)))
      t.same(await peer.answerClose(), { code: 3000, reason: 'first' })
      t.match(await ws.whenClosed(), { code: 3000, wasClean: true })
    })
  })
}

for (const setup of SETUPS) {
  t.test(`a peer that never answers our Close is dropped: ${nameOf(setup)}`, { timeout: 8000 }, async t => {
    for (const reader of ['nobody', 'event', 'view'] as const) {
      const { ws, peer, closes, socket } = await open(t, setup, { closeTimeout: 20 })
      if (reader === 'event') ws.on('message', () => {})
      if (reader === 'view') ws.messages.resume()
      peer.text('unread')
      await settle(3)
      ws.close(3000)
      t.match(await ws.whenClosed(), { code: 1006, wasClean: false, initiator: 'local' })
      await settle()
      t.equal(closes.length, 1)
      t.equal(socket.destroyed, true)
    }
  })

  t.test(`A24: a peer that stops reading is dropped: ${nameOf(setup)}`, { timeout: 8000 }, async t => {
    const { ws, peer, closes, socket } = await open(t, setup, { closeTimeout: 30 })
    peer.stream.pause()
    for (let i = 0; i < 200 && ws.messages.write(Buffer.alloc(65536)); i++) await settle(1)
    ws.close()
    t.match(await within(8000, ws.whenClosed()), { code: 1006, wasClean: false })
    await settle()
    t.equal(closes.length, 1)
    t.equal(socket.destroyed, true)
    t.equal(ws.messages.destroyed, true)
    ws.destroy()
  })

  t.test(
    `A24: a peer that has closed and never ends the wire is dropped: ${nameOf(setup)}`,
    { timeout: 8000 },
    async t => {
      const { ws, peer, socket } = await open(t, setup, { closeTimeout: 20 })
      peer.close(3000)
      t.equal(readClose(await peer.nextFrame()).code, 3000)
      t.match(await ws.whenClosed(), { code: 3000, wasClean: true, initiator: 'peer' })
      t.equal(socket.destroyed, true)
    }
  )

  t.test(`a close that waits for unread messages has a time limit: ${nameOf(setup)}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await open(t, setup, { closeTimeout: 30 })
    const view = ws.messages
    for (let i = 0; i < 10; i++) peer.text(String(i))
    await settle(5)
    ws.close()
    t.equal((await peer.answerClose()).code, 1000)
    t.match(await ws.whenClosed(), { initiator: 'local' })
    const got: unknown[] = []
    view.on('data', message => got.push(message))
    view.on('error', () => {})
    await settle()
    t.ok(got.length > 0, 'and what had been taken from the wire can still be read')
    t.same(
      got,
      got.map((_, i) => String(i))
    )
  })

  t.test(
    `if nothing reads messages, our close does not wait for that: ${nameOf(setup)}`,
    { timeout: 8000 },
    async t => {
      const { ws, peer } = await open(t, setup)
      for (let i = 0; i < 10; i++) peer.text(String(i))
      await settle(5)
      ws.close()
      t.equal((await peer.answerClose()).code, 1000)
      t.match(await ws.whenClosed(), { code: 1000, wasClean: true })
    }
  )
}

for (const setup of IN_MEMORY) {
  t.test(
    `destroyed before its data and its answer to a Close have left, it is not clean, and an error: ${nameOf(setup)}`,
    async t => {
      const { ws, peer } = await open(t, setup)
      const errors: unknown[] = []
      ws.on('error', error => errors.push(error))
      ws.on('message', () => {})
      peer.stream.pause()
      ws.binary(Buffer.alloc(2 ** 20))
      await settle()
      const closing = once(ws, 'closing')
      peer.close(3000)
      await closing
      ws.destroy()
      t.match(await ws.whenClosed(), { code: 3000, wasClean: false, initiator: 'peer' })
      await settle()
      t.match(errors, [{ code: 'WS_ERR_DESTROYED' }])
    }
  )
}

t.test('Infinity removes the time limit for closing', async t => {
  const { ws, peer } = await open(t, SERVER, { closeTimeout: Number.POSITIVE_INFINITY })
  ws.close()
  await settle()
  t.equal((await peer.answerClose()).code, 1000)
  t.match(await ws.whenClosed(), { wasClean: true })
})

for (const setup of SETUPS) {
  t.test(`ping(): ${nameOf(setup)}`, async t => {
    t.test('resolves with the time until the matching Pong, which settles earlier ones too', async t => {
      const { ws, peer } = await open(t, setup)
      const settled: string[] = []
      const pings = ['a', 'b', 'c'].map(async name => {
        const time = await ws.ping(name)
        settled.push(name)
        return time
      })
      for (const name of ['a', 'b', 'c']) {
        t.match(await peer.nextFrame(), { opcode: PING, fin: true, payload: Buffer.from(name) })
      }
      const pong = once(ws, 'pong')
      peer.send(PONG, 'nobody asked')
      t.same(await pong, [Buffer.from('nobody asked')])
      t.same(settled, [])
      peer.send(PONG, 'b')
      t.ok((await pings[0]!) >= 0)
      t.ok((await pings[1]!) >= 0)
      await settle(2)
      t.same(settled, ['a', 'b'])
      peer.send(PONG, 'c')
      t.type(await pings[2], 'number')
    })

    t.test('has a unique payload by default', async t => {
      const { ws, peer } = await open(t, setup)
      const first = ws.ping()
      const second = ws.ping()
      const one = (await peer.nextFrame())!.payload
      const two = (await peer.nextFrame())!.payload
      t.notOk(one.equals(two))
      peer.send(PONG, one)
      await first
      peer.send(PONG, two)
      await second
    })

    t.test('rejects when the connection ends, and if it is not open; never unhandled', { timeout: 8000 }, async t => {
      const { ws, peer } = await open(t, setup)
      const pending = ws.ping()
      void ws.ping()
      ws.close()
      t.match(await rejection(ws.ping()), { code: 'WS_ERR_NOT_OPEN' })
      await peer.answerClose()
      t.match(await rejection(pending), { code: 'WS_ERR_NOT_OPEN' })
      await ws.whenClosed()
      t.match(await rejection(ws.ping()), { code: 'WS_ERR_NOT_OPEN' })
      t.equal(ws.pong(), false)
    })
  })

  t.test(`a Ping is answered with its payload, and emitted: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    const heard = once(ws, 'ping')
    peer.send(PING, 'hello')
    t.match(await peer.nextFrame(), { opcode: PONG, payload: Buffer.from('hello') })
    t.same(await heard, [Buffer.from('hello')])
    t.equal(ws.pong('unasked'), true)
    t.match(await peer.nextFrame(), { opcode: PONG, payload: Buffer.from('unasked') })
    t.equal(ws.pong(), true)
    t.match(await peer.nextFrame(), { opcode: PONG, payload: Buffer.alloc(0) })
    peer.write(peer.frame(TEXT, 'be', { fin: false }), peer.frame(PING, 'within'))
    t.match(await peer.nextFrame(), { opcode: PONG, payload: Buffer.from('within') })
  })
}

t.test('payloads of control frames are bytes or text, at most 125', async t => {
  const { ws, peer } = await open(t, SERVER)
  t.throws(() => ws.ping('ü'.repeat(63)), RangeError)
  t.throws(() => ws.pong(Buffer.alloc(126)), RangeError)
  ws.pong(new Uint8Array([1, 2, 3]).subarray(1))
  t.same((await peer.nextFrame())!.payload, Buffer.from([2, 3]))
  ws.pong('a'.repeat(125))
  t.equal((await peer.nextFrame())!.payload.length, 125)
  const fresh = WebSocketStream.server()
  t.equal(fresh.pong(), true, 'it waits for the handshake')
  const ping = fresh.ping()
  fresh.destroy()
  t.match(await rejection(ping), { code: 'WS_ERR_NOT_OPEN' })
  t.equal(fresh.pong(), false)
  t.match(await rejection(fresh.ping()), { code: 'WS_ERR_NOT_OPEN' })
})

/** Neither keepalive's timers nor a wire in memory keep the process alive. */
function stayAlive(t: Test): void {
  const timer = setInterval(() => {}, 1000)
  t.teardown(() => clearInterval(timer))
}

for (const setup of SETUPS) {
  t.test(`keepalive ends a connection with a dead peer: ${nameOf(setup)}`, { timeout: 8000 }, async t => {
    const { ws, peer, closes, socket } = await open(t, setup, { keepalive: { interval: 20, timeout: 20 } })
    stayAlive(t)
    const errors: Error[] = []
    ws.on('error', error => errors.push(error))
    t.match(await peer.nextFrame(), { opcode: PING, payload: Buffer.alloc(0) })
    t.match(await ws.whenClosed(), { code: 1006, wasClean: false, initiator: 'local' })
    await settle()
    t.equal(closes.length, 1)
    t.match(errors, [{ code: 'WS_ERR_KEEPALIVE_TIMEOUT' }])
    t.equal(socket.destroyed, true)
  })

  t.test(`keepalive keeps a peer that our backpressure stops from writing: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup, { keepalive: { interval: 5, timeout: 5 } })
    stayAlive(t)
    ws.messages.pause()
    for (let i = 0; i < 5; i++) peer.text(String(i).repeat(20_000))
    await new Promise(resolve => setTimeout(resolve, 60))
    t.equal(ws.readyState, 'open')
    ws.messages.resume()
    t.match(await ws.whenClosed(), { code: 1006 }, 'but not for ever')
  })
}

/** A server responds with an HTTP error, and ends its side. */
async function refused(t: Test, peer: RawPeer): Promise<void> {
  t.match(await peer.head(), { first: 'HTTP/1.1 503 Service Unavailable' })
  await peer.ended()
  peer.end()
}

for (const setup of SETUPS) {
  t.test(`a signal: ${nameOf(setup)}`, async t => {
    t.test('that is already aborted', { timeout: 8000 }, async t => {
      const { ws, peer, closes } = await fresh(t, setup, { signal: AbortSignal.abort(new Error('why')) })
      const error = await rejection(ws.opened)
      t.match(error, { code: 'WS_ERR_ABORTED', name: 'HandshakeError', cause: { message: 'why' } })
      if (setup.role === 'server') await refused(t, peer)
      t.match(await ws.whenClosed(), { code: 1006, wasClean: false, initiator: 'local' })
      await settle()
      t.equal(closes.length, 1)
      await peer.ended()
    })

    t.test('that is aborted during the handshake', { timeout: 8000 }, async t => {
      const control = new AbortController()
      const { ws, peer, closes, socket } = await fresh(t, setup, { signal: control.signal })
      const errors: Error[] = []
      ws.on('error', error => errors.push(error))
      if (setup.role === 'client') await peer.head()
      else peer.write(requestHead().subarray(0, 30))
      await settle(2)
      control.abort(new Error('why'))
      t.match(await rejection(ws.opened), { code: 'WS_ERR_ABORTED', cause: { message: 'why' } })
      if (setup.role === 'server') await refused(t, peer)
      t.match(await ws.whenClosed(), { code: 1006, initiator: 'local' })
      await settle()
      t.equal(closes.length, 1)
      t.match(errors, [{ code: 'WS_ERR_ABORTED' }])
      t.equal(socket.destroyed, true)
    })

    t.test('that is aborted later closes', { timeout: 8000 }, async t => {
      const control = new AbortController()
      const { ws, peer } = await open(t, setup, { signal: control.signal })
      ws.text('before')
      control.abort()
      t.equal(String((await peer.nextFrame())!.payload), 'before')
      t.equal((await peer.answerClose()).code, 1000)
      t.match(await ws.whenClosed(), { code: 1000, wasClean: true, initiator: 'local' })
    })

    t.test('that is aborted after the end does nothing, and has no listener left', async t => {
      const control = new AbortController()
      let listening = 0
      const { signal } = control
      const add = signal.addEventListener.bind(signal)
      const remove = signal.removeEventListener.bind(signal)
      signal.addEventListener = ((...args: Parameters<typeof add>) => {
        listening++
        add(...args)
      }) as typeof add
      signal.removeEventListener = ((...args: Parameters<typeof remove>) => {
        listening--
        remove(...args)
      }) as typeof remove
      const { ws } = await open(t, setup, { signal })
      t.equal(listening, 1)
      ws.destroy()
      await ws.whenClosed()
      t.equal(listening, 0)
      control.abort()
    })
  })
}

t.test('Symbol.asyncDispose', async t => {
  t.test('closes, and waits for the end', async t => {
    const { server, client } = await ours(t)
    await server[Symbol.asyncDispose]()
    t.match(server.closeInfo, { code: 1000, wasClean: true, initiator: 'local' })
    t.match(await client.whenClosed(), { code: 1000, wasClean: true, initiator: 'peer' })
    await server[Symbol.asyncDispose]()
  })
  t.test('waits at most closeTimeout', async t => {
    const { ws } = await open(t, SERVER, { closeTimeout: 10 })
    await ws[Symbol.asyncDispose]()
    t.match(ws.closeInfo, { code: 1006 })
  })
  t.test('destroys before the handshake', async t => {
    const { ws } = await fresh(t, SERVER)
    await ws[Symbol.asyncDispose]()
    t.match(ws.closeInfo, { code: 1006, initiator: 'local' })
  })
})

for (const setup of SETUPS) {
  t.test(
    `A34: destroyed in a listener of any event, with data in flight: ${nameOf(setup)}`,
    { timeout: 60_000 },
    async t => {
      for (const event of ['open', 'message', 'ping', 'pong'] as const) {
        for (const what of ['ws', 'socket', 'view', 'view with an error', 'ws with an error'] as const) {
          const { ws, peer, socket, closes } = await fresh(t, setup)
          ws.on('error', () => {})
          ws.on('message', () => {})
          ws.text('early')
          ws.on(event, () => {
            ws.text('more')
            if (what === 'ws') ws.destroy()
            else if (what === 'ws with an error') ws.destroy(new Error('enough'))
            else if (what === 'socket') socket.destroy()
            else if (what === 'view') ws.messages.destroy()
            else ws.messages.destroy(new Error('enough'))
            ws.text('after')
          })
          if (event === 'open' && setup.role !== 'client') peer.write(requestHead())
          else await shake(peer, setup.role)
          const frames = [
            peer.frame(TEXT, 'a'),
            peer.frame(PING, 'b'),
            peer.frame(PONG, 'c'),
            peer.frame(CLOSE, closeBody(1000))
          ]
          peer.write(...frames)
          peer.end()
          t.ok(await within(8000, ws.whenClosed()), `${what} at ${event}: closed`)
          await settle()
          t.equal(closes.length, 1, `${what} at ${event}`)
          ws.destroy()
        }
      }
    }
  )
}

for (const setup of IN_MEMORY) {
  t.test(`closed or destroyed by a ping listener, after an unread message: ${nameOf(setup)}`, async t => {
    for (const how of ['close', 'destroy the view', 'read the view'] as const) {
      t.test(how, { timeout: 8000 }, async t => {
        const { ws, peer } = await open(t, setup)
        ws.on('ping', () => {
          if (how === 'close') ws.close()
          else if (how === 'destroy the view') ws.messages.destroy()
          else ws.messages.read()
        })
        peer.write(
          peer.frame(TEXT, 'a'),
          peer.frame(PING, 'b'),
          peer.frame(TEXT, 'c'),
          peer.frame(CLOSE, closeBody(1000))
        )
        peer.end()
        await settle(10)
        if (how === 'read the view') ws.messages.resume()
        t.match(await within(8000, ws.whenClosed()), { code: 1000, wasClean: true })
        ws.destroy()
      })
    }
  })
}
