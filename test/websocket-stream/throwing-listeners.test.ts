// A listener of the application that throws: the exception surfaces, and the connection continues by itself.

import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import t from 'tap'
import { acceptWebSockets, WebSocketStream } from '../../lib/index.js'
import { Uncaught } from '../matrix/exceptions/uncaught.js'
import { fresh, nameOf, open, SETUPS, settle, shake, type TestLike } from './sides.js'

const boom = new Error('the application')

function catching(t: TestLike): Uncaught {
  const uncaught = new Uncaught()
  uncaught.start()
  t.teardown(() => uncaught.stop())
  return uncaught
}

/** Turns of the event loop until a condition holds. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await settle(1)
}

for (const setup of SETUPS) {
  t.test(`message: later messages are delivered: ${nameOf(setup)}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await open(t, setup)
    const uncaught = catching(t)
    const got: unknown[] = []
    ws.on('message', message => {
      got.push(message)
      if (message === 'a') throw boom
    })
    for (const [i, text] of ['a', 'b', 'c'].entries()) {
      peer.text(text)
      await until(() => got.length === i + 1)
    }
    t.same(uncaught.errors, [boom])
    uncaught.stop()
    t.same(got, ['a', 'b', 'c'])
    ws.text('still here')
    t.equal((await peer.nextFrame())?.payload.toString(), 'still here')
  })

  t.test(
    `message: later ones of the same chunk do not wait for further input: ${nameOf(setup)}`,
    { timeout: 8000 },
    async t => {
      const { ws, peer } = await open(t, setup)
      const uncaught = catching(t)
      const got: unknown[] = []
      ws.on('message', message => {
        got.push(message)
        if (message !== 'c') throw boom
      })
      peer.write(...['a', 'b', 'c'].map(text => peer.frame(1, text)), peer.frame(9, 'ping'))
      t.match(await peer.nextFrame(), { opcode: 10 })
      await until(() => got.length === 3)
      uncaught.stop()
      t.same(uncaught.errors, [boom, boom])
      t.same(got, ['a', 'b', 'c'])
    }
  )

  t.test(`open: messages are sent and received afterwards: ${nameOf(setup)}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await fresh(t, setup)
    const uncaught = catching(t)
    ws.on('open', () => {
      throw boom
    })
    const got: unknown[] = []
    ws.on('message', message => got.push(message))
    ws.text('early')
    await shake(peer, setup.role)
    t.equal((await peer.nextFrame())?.payload.toString(), 'early')
    peer.text('hello')
    await until(() => got.length > 0)
    ws.text('late')
    t.equal((await peer.nextFrame())?.payload.toString(), 'late')
    uncaught.stop()
    t.same(uncaught.errors, [boom])
    t.same(got, ['hello'])
  })

  t.test(`open: an earlier close is sent nevertheless: ${nameOf(setup)}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await fresh(t, setup)
    const uncaught = catching(t)
    ws.on('open', () => {
      throw boom
    })
    ws.close(4000)
    await shake(peer, setup.role)
    t.equal((await peer.answerClose()).code, 4000)
    t.match(await ws.whenClosed(), { code: 4000, wasClean: true })
    uncaught.stop()
    t.same(uncaught.errors, [boom])
  })

  t.test(`error: everything that waits for the end is notified: ${nameOf(setup)}`, { timeout: 8000 }, async t => {
    const { ws, peer, closes } = await open(t, setup)
    const uncaught = catching(t)
    ws.on('message', () => {})
    ws.on('error', () => {
      throw boom
    })
    const ping = ws.ping().catch(error => error.code)
    peer.reset()
    t.match(await ws.whenClosed(), { code: 1006, wasClean: false })
    t.equal(await ping, 'WS_ERR_NOT_OPEN')
    await until(() => closes.length === 1)
    uncaught.stop()
    t.same(uncaught.errors, [boom])
    t.equal(ws.closed, true)
  })

  t.test(
    `error after the peer broke a rule: the Close that names it is sent: ${nameOf(setup)}`,
    { timeout: 8000 },
    async t => {
      const { ws, peer, closes } = await open(t, setup)
      const uncaught = catching(t)
      ws.on('error', () => {
        throw boom
      })
      peer.send(3, 'no such opcode')
      t.equal((await peer.answerClose()).code, 1002)
      await ws.whenClosed()
      await until(() => closes.length === 1)
      uncaught.stop()
      t.same(uncaught.errors, [boom])
    }
  )

  t.test(`a callback of a write: later callbacks run: ${nameOf(setup)}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await open(t, setup)
    const uncaught = catching(t)
    const called: string[] = []
    const note = (name: string) => (): void => {
      called.push(name)
      if (name !== 'c') throw boom
    }
    ws.messages.write(Buffer.alloc(40_000), note('a'))
    ws.messages.write(Buffer.alloc(40_000), note('b'))
    ws.messages.write('c', note('c'))
    await until(() => called.length === 3)
    uncaught.stop()
    t.same(called, ['a', 'b', 'c'])
    t.same(uncaught.errors, [boom, boom])
    for (let i = 0; i < 3; i++) await peer.nextFrame()
    ws.text('goes on')
    t.equal((await peer.nextFrame())?.payload.toString(), 'goes on')
  })

  t.test(`a callback of a write that fails: the others run: ${nameOf(setup)}`, { timeout: 8000 }, async t => {
    const { ws, peer, closes } = await open(t, setup)
    peer.stream.pause()
    const called: string[] = []
    ws.messages.write(Buffer.alloc(8_000_000), () => {
      called.push('a')
      throw boom
    })
    ws.createMessage('text').end('b', () => called.push('b'))
    await settle(10)
    const uncaught = catching(t)
    ws.destroy()
    await ws.whenClosed()
    await until(() => closes.length === 1 && called.length === 2)
    uncaught.stop()
    t.same(called.sort(), ['a', 'b'])
    t.same(uncaught.errors, [boom])
  })

  t.test(`data of the view: the flow continues: ${nameOf(setup)}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await open(t, setup)
    const uncaught = catching(t)
    const got: unknown[] = []
    ws.messages.on('data', message => {
      got.push(message)
      if (message !== 'd') throw boom
    })
    peer.write(...['a', 'b'].map(text => peer.frame(1, text)))
    peer.write(...['c', 'd'].map(text => peer.frame(1, text)))
    await until(() => got.length === 4)
    uncaught.stop()
    t.same(got, ['a', 'b', 'c', 'd'])
    t.equal(uncaught.errors.length, 3)
  })
}

t.test('an acceptor removes a connection whose error listener throws', { timeout: 8000 }, async t => {
  const server = createServer()
  const acceptor = acceptWebSockets(server, {}, ws => {
    ws.on('message', () => {})
    ws.on('error', () => {
      throw boom
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const socket = connect(port, '127.0.0.1')
  const client = WebSocketStream.client(`ws://127.0.0.1:${port}/`).attach(socket)
  client.on('error', () => {})
  await client.opened
  await until(() => acceptor.size === 1)
  const uncaught = catching(t)
  socket.resetAndDestroy()
  await until(() => acceptor.size === 0)
  await settle()
  uncaught.stop()
  t.same(uncaught.errors, [boom])
})

t.test('message, with text as bytes: later messages are delivered', async t => {
  const { ws, peer } = await open(t, SETUPS[0]!, { textAs: 'bytes' })
  const uncaught = catching(t)
  const got: string[] = []
  ws.on('message', message => {
    got.push(String(message))
    if (got.length === 1) throw boom
  })
  peer.text('a')
  peer.text('b')
  await until(() => got.length === 2)
  await settle()
  t.same(uncaught.errors, [boom])
  uncaught.stop()
  t.same(got, ['a', 'b'])
})
