// A relay one of whose sides dies while the other does not read: wires that are not read report no end, and still nothing may stay open for ever.

import http, { type IncomingMessage } from 'node:http'
import net, { type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import t, { type Test } from 'tap'
import { kEndpoint } from '../../lib/endpoint.js'
import { type Relay, type RelayOptions, relay, WebSocketStream } from '../../lib/index.js'
import { answerHead, BINARY, CLOSE, PING, PONG, RawPeer, TEXT } from '../support/raw-peer.js'
import { settle } from '../websocket-stream/sides.js'
import { open as openInMemory, type Relayed, type RelaySetup } from './relay-sides.js'
import { listen, upgrade } from './web-servers.js'

const FORMS: { [form: string]: RelayOptions } = {
  frames: {},
  streams: { transform: { fromClient: () => null, fromTarget: () => null } }
}

/** A relay in memory. Neither its wires nor the timer that watches them keep the process alive. */
function open(t: Test, setup: RelaySetup): Promise<Relayed> {
  const alive = setInterval(() => {}, 1000)
  t.teardown(() => clearInterval(alive))
  return openInMemory(t, setup)
}

/** A relay over TCP, with a peer written by hand at each end. */
async function overTcp(t: Test, options: RelayOptions): Promise<{ relay: Relay; client: RawPeer; target: RawPeer }> {
  const peer = new Promise<RawPeer>(resolve => {
    const server = net.createServer(socket => resolve(new RawPeer(socket, 'server')))
    void listen(t, server as never).then(inner => {
      const gateway = http.createServer()
      gateway.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
        const ws = WebSocketStream.http(request, head, { closeTimeout: 50 })
        made(relay(ws, `ws://127.0.0.1:${inner}/`, { connect: { closeTimeout: 50 }, ...options }))
        ws.attach(socket)
      })
      gates(gateway)
    })
  })
  let made!: (relay: Relay) => void
  let gates!: (gateway: http.Server) => void
  const joined = new Promise<Relay>(resolve => (made = resolve))
  const gateway = await new Promise<http.Server>(resolve => (gates = resolve))
  const asked = upgrade(t, await listen(t, gateway))
  const target = await peer
  target.write(answerHead(await target.head()))
  const { peer: client } = await asked
  return { relay: await joined, client, target }
}

for (const [form, options] of Object.entries(FORMS)) {
  for (const dead of ['client', 'target'] as const) {
    for (const way of ['resetAndDestroy', 'destroy'] as const) {
      t.test(`${form}: a ${dead} that dies (${way}) while the other side does not read`, async t => {
        const both = await overTcp(t, options)
        const [dying, stuck] = dead === 'client' ? [both.client, both.target] : [both.target, both.client]
        stuck.stream.pause()
        const socket = dying.stream as Socket
        const ws = dead === 'client' ? both.relay.client : both.relay.target!
        while (!ws[kEndpoint].holdsInput() || !socket.writableNeedDrain) {
          dying.send(BINARY, Buffer.alloc(60_000))
          await settle(1)
        }
        socket[way]()
        t.match(await both.relay.closed, { client: { wasClean: false }, target: { wasClean: false } })
      })
    }
  }

  for (const slow of ['client', 'target'] as const) {
    t.test(`${form}: a slow ${slow} is waited for, and the other side is probed`, async t => {
      const both = await open(t, { options, server: { closeTimeout: 20 } })
      const [from, to] = slow === 'target' ? [both.client, both.target] : [both.target, both.client]
      to.stream.pause()
      for (let i = 0; i < 10; i++) from.send(BINARY, Buffer.alloc(20_000))
      const asked = (await from.nextFrame())!
      t.match(asked, { opcode: PING })
      t.equal((await from.nextFrame())!.opcode, PING)
      // its response is not for the other side
      from.write(from.frame(PONG, asked.payload), from.frame(PONG, 'unasked'), from.frame(TEXT, 'last'))
      to.stream.resume()
      const opcodes: number[] = []
      const pongs: string[] = []
      while (opcodes.at(-1) !== TEXT || pongs.length === 0) {
        const { opcode, payload } = (await to.nextFrame())!
        if (opcode === PONG) pongs.push(payload.toString())
        else opcodes.push(opcode)
      }
      t.strictSame(pongs, ['unasked'])
      t.equal(opcodes.filter(opcode => opcode === BINARY).length, 10)
    })
  }

  for (const body of ['03ed', '03', '03e8ff', '0000']) {
    t.test(`${form}: a Close that breaks a rule, ${body}, is lost with the side that sent it`, async t => {
      const warnings: Error[] = []
      const note = (warning: Error): void => void warnings.push(warning)
      process.on('warning', note)
      t.teardown(() => process.off('warning', note))
      const { client, target, relay } = await open(t, { options, server: { closeTimeout: 1000 } })
      target.send(TEXT, 'before')
      t.equal((await client.nextFrame())!.payload.toString(), 'before')
      target.send(CLOSE, Buffer.from(body, 'hex'))
      target.end()
      t.equal((await client.answerClose()).code, 1014)
      await relay.closed
      await settle()
      t.same(warnings, [])
    })
  }

  t.test(`${form}: a client that reads slowly gets everything that its target sent before it left`, async t => {
    const { client, target, relay, wires } = await open(t, { options, server: { closeTimeout: 1000 } })
    client.stream.pause()
    for (let i = 0; i < 8; i++) target.send(BINARY, Buffer.alloc(20_000))
    while (!relay.target![kEndpoint].holdsInput()) await settle(1)
    const { messagesReceived } = relay.target!.stats
    wires.target.destroy()
    await relay.target!.whenClosed()
    // 1200 ms in all, and far less than 1000 ms between two reads
    for (let i = 0; i < messagesReceived; i++) {
      await new Promise(resolve => setTimeout(resolve, 150))
      const frame = client.nextFrame()
      client.stream.resume()
      t.equal((await frame)!.payload.length, 20_000)
      client.stream.pause()
    }
    client.stream.resume()
    t.equal((await client.answerClose()).code, 1014)
    await relay.closed
  })
}

t.test('a side that the relay closes has closeTimeout', async t => {
  const { relay, client, target } = await open(t, { server: { closeTimeout: 60 } })
  target.stream.pause()
  for (let i = 0; i < 40; i++) client.send(BINARY, Buffer.alloc(20_000))
  await settle(12)
  client.reset()
  await relay.client.whenClosed()
  relay.close()
  relay.close()
  t.match(await relay.closed, { target: { wasClean: false } })
})

t.test('when both sides have ended, no timer that watches them is left', async t => {
  const { setInterval, clearInterval } = globalThis
  const running = new Set<unknown>()
  const start = (...args: Parameters<typeof setInterval>): NodeJS.Timeout => {
    const timer = setInterval(...args)
    running.add(timer)
    return timer
  }
  const stop = (timer?: NodeJS.Timeout): void => {
    running.delete(timer)
    clearInterval(timer)
  }
  Object.assign(globalThis, { setInterval: start, clearInterval: stop })
  t.teardown(() => Object.assign(globalThis, { setInterval, clearInterval }))
  const { relay, client } = await overTcp(t, {})
  await relay.opened
  t.equal(running.size, 1)
  client.stream.destroy()
  await relay.closed
  t.equal(running.size, 0)
})

t.test('sides that read are not pinged', async t => {
  const { relay, client, target } = await overTcp(t, {})
  await relay.opened
  // the first look is after 250 ms
  await new Promise(resolve => setTimeout(resolve, 600))
  client.text('from the client')
  t.match(await target.nextFrame(), { opcode: TEXT, payload: Buffer.from('from the client') })
  target.text('from the target')
  t.match(await client.nextFrame(), { opcode: TEXT, payload: Buffer.from('from the target') })
  client.stream.destroy()
  await relay.closed
})
