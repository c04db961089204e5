// Pings and pongs of the application: before the connection is open, from listeners, and with memory that is reused.

import { once } from 'node:events'
import t from 'tap'
import { WebSocketStream } from '../../lib/index.js'
import { pair } from '../support/pair.js'
import { CLOSE, closeBody, PING, PONG, RawPeer, readClose, TEXT } from '../support/raw-peer.js'
import { fresh, make, nameOf, open, rejection, SETUPS, settle, shake } from './sides.js'

for (const setup of SETUPS) {
  t.test(`pings and pongs sent before the handshake wait for it: ${nameOf(setup)}`, { timeout: 8000 }, async t => {
    const { ws, peer } = await fresh(t, setup)
    ws.text('hello')
    const buffer = Buffer.from('early')
    const answered = ws.ping(buffer)
    t.equal(ws.pong(buffer), true)
    buffer.fill(0)
    const second = ws.ping()
    await shake(peer, setup.role)
    const frames = [await peer.nextFrame(), await peer.nextFrame(), await peer.nextFrame(), await peer.nextFrame()]
    const control = frames.filter(frame => frame?.opcode !== TEXT)
    t.match(control, [
      { opcode: PING, payload: Buffer.from('early') },
      { opcode: PONG, payload: Buffer.from('early') },
      { opcode: PING }
    ])
    t.match(frames.find(frame => frame?.opcode === TEXT)?.payload.toString(), 'hello')
    peer.send(PONG, control[0]!.payload)
    t.ok((await answered) >= 0)
    peer.send(PONG, control[2]!.payload)
    t.ok((await second) >= 0)
  })

  t.test(
    `after a close requested before the handshake they are refused, before it they are sent: ${nameOf(setup)}`,
    async t => {
      const { ws, peer } = await fresh(t, setup)
      const answered = ws.ping('ahead')
      ws.close(4000)
      t.match(await rejection(ws.ping('behind')), { code: 'WS_ERR_NOT_OPEN' })
      t.equal(ws.pong('behind'), false)
      await shake(peer, setup.role)
      t.match(await peer.nextFrame(), { opcode: PING, payload: Buffer.from('ahead') })
      t.match(readClose(await peer.nextFrame()), { code: 4000 })
      peer.send(PONG, 'ahead')
      t.ok((await answered) >= 0)
    }
  )

  t.test(`a ping is rejected if the handshake fails: ${nameOf(setup)}`, async t => {
    const { ws, socket } = await fresh(t, setup)
    ws.on('error', () => {})
    const ping = ws.ping()
    socket.destroy()
    t.match(await rejection(ping), { code: 'WS_ERR_NOT_OPEN' })
    await ws.whenClosed()
  })

  t.test(`if a ping listener closes, the Pong is sent before the Close: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    ws.on('message', () => {})
    ws.once('ping', () => ws.close(4000))
    peer.write(peer.frame(PING, 'x'), peer.frame(PING, 'behind it'))
    t.match(await peer.nextFrame(), { opcode: PONG, payload: Buffer.from('x') })
    t.match(readClose(await peer.nextFrame()), { code: 4000 })
  })

  t.test(`the memory of a payload may be reused at once: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    const buffer = Buffer.from('abc')
    const answered = ws.ping(buffer)
    ws.pong(buffer)
    buffer.fill(0)
    t.match(await peer.nextFrame(), { opcode: PING, payload: Buffer.from('abc') })
    t.match(await peer.nextFrame(), { opcode: PONG, payload: Buffer.from('abc') })
    peer.send(PONG, 'abc')
    t.ok((await answered) >= 0)
  })

  t.test(`the memory of a control frame written to ws.frames may be reused at once: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    const payload = Buffer.from('abc')
    for (const opcode of [PING, PONG] as const) ws.frames.write({ opcode, payload })
    payload.fill(0)
    t.match(await peer.nextFrame(), { opcode: PING, payload: Buffer.from('abc') })
    t.match(await peer.nextFrame(), { opcode: PONG, payload: Buffer.from('abc') })
    const body = closeBody(4000)
    ws.frames.write({ opcode: CLOSE, payload: body })
    body.fill(0)
    t.match(readClose(await peer.nextFrame()), { code: 4000 })
  })

  t.test(`a listener that changes a payload affects neither the Pong nor the matching: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    ws.on('message', () => {})
    ws.on('ping', payload => payload.fill(0))
    ws.on('pong', payload => payload.fill(0))
    peer.write(peer.frame(PING, 'abc'), peer.frame(PING, 'abd'))
    t.match(await peer.nextFrame(), { opcode: PONG, payload: Buffer.from('abc') })
    t.match(await peer.nextFrame(), { opcode: PONG, payload: Buffer.from('abd') })
    const answered = ws.ping('abc')
    await peer.nextFrame()
    peer.send(PONG, 'abc')
    t.ok((await answered) >= 0)
  })

  t.test(
    `a reader of ws.frames that changes a payload affects neither the Pong nor the matching: ${nameOf(setup)}`,
    async t => {
      const { ws, peer } = await open(t, setup)
      const seen: string[] = []
      ws.frames.on('data', ({ payload }) => {
        seen.push(String(payload))
        payload.fill(0)
      })
      peer.write(peer.frame(PING, 'abc'))
      t.match(await peer.nextFrame(), { opcode: PONG, payload: Buffer.from('abc') })
      const answered = ws.ping('abd')
      await peer.nextFrame()
      peer.send(PONG, 'abd')
      t.ok((await answered) >= 0)
      t.same(seen, ['abc', 'abd'])
    }
  )
}

for (const join of ['attach', 'pipe'] as const) {
  t.test(`a ping sent before the handshake is dropped if the version has none: ${join}`, { timeout: 8000 }, async t => {
    const [left, right] = pair()
    const ws = WebSocketStream.server({ allowDrafts: true })
    t.teardown(() => ws.destroy())
    const rejected = rejection(ws.ping('early'))
    ws.pong('early')
    if (join === 'attach') ws.attach(left)
    else left.pipe(ws).pipe(left)
    const peer = new RawPeer(right, 'client')
    peer.write(
      Buffer.from(
        'GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nOrigin: http://localhost\r\n\r\n'
      )
    )
    await peer.head()
    t.match(await rejected, { code: 'WS_ERR_NOT_OPEN' })
    t.match(await rejection(ws.ping()), { code: 'WS_ERR_NOT_OPEN' })
    t.equal(ws.pong(), false)
    ws.text('hello')
    t.equal((await peer.take(7)).toString('latin1'), '\x00hello\xff')
  })
}

t.test('of 1025 waiting pings, the oldest is rejected', async t => {
  const { ws, peer } = await open(t, { role: 'server', join: 'attach', wire: 'memory' })
  const first = rejection(ws.ping('first'))
  for (let i = 0; i < 1024; i++) void ws.ping(`${i}`)
  t.match(await first, { code: 'WS_ERR_PING_UNANSWERED' })
  t.equal(ws.readyState, 'open', 'which is no fault')
  peer.send(PONG, '1023')
  await once(ws, 'pong')
})

t.test('a ping in the open event is sent after those before it', async t => {
  const [left, right] = pair()
  const ws = make('client')
  t.teardown(() => ws.destroy())
  ws.on('open', () => {
    void ws.ping('in open')
    ws.close(4000)
  })
  void ws.ping('before')
  ws.attach(left)
  const peer = new RawPeer(right, 'server')
  await shake(peer, 'client')
  const opcodes = []
  const payloads = []
  for (let i = 0; i < 3; i++) {
    const frame = (await peer.nextFrame())!
    opcodes.push(frame.opcode)
    payloads.push(frame.payload.toString())
  }
  t.same(opcodes, [PING, PING, CLOSE])
  t.same(payloads.slice(0, 2), ['before', 'in open'])
  await settle()
})
