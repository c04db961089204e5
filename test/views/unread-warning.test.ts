// Messages that nothing reads for 10 s: a process warning, once.

import t from 'tap'
import { open, ours, settle, type TestLike } from '../websocket-stream/sides.js'

interface Timer {
  run: () => void
  stopped: boolean
}

/** The test fires timers of 10 s itself, until it is over. */
function longTimers(t: TestLike): Timer[] {
  const { setTimeout, clearTimeout } = globalThis
  const timers: Timer[] = []
  const patched = ((run: () => void, delay: number) => {
    const handle = setTimeout(run, delay)
    // the timer of the handshake, which is as long, was started before
    if (delay === 10_000) {
      const timer: Timer = { run, stopped: false }
      timers.push(timer)
      handles.set(handle, timer)
    }
    return handle
  }) as typeof setTimeout
  const handles = new Map<unknown, Timer>()
  globalThis.setTimeout = patched
  globalThis.clearTimeout = handle => {
    const timer = handles.get(handle)
    if (timer !== undefined) timer.stopped = true
    clearTimeout(handle)
  }
  t.teardown(() => Object.assign(globalThis, { setTimeout, clearTimeout }))
  return timers
}

const SIDE = { role: 'server', join: 'attach', wire: 'memory' } as const

t.test('reading, discarding or the end stops the timer of the warning', async t => {
  const ways = {
    'a listener': ws => void ws.on('message', () => {}),
    messages: ws => void ws.messages.resume(),
    streams: ws => void ws.streams.resume(),
    frames: ws => void ws.frames.resume(),
    'discardMessages()': ws => ws.discardMessages(),
    'close()': ws => void ws.close(),
    'destroy()': ws => void ws.destroy()
  } satisfies Record<string, (ws: Awaited<ReturnType<typeof open>>['ws']) => void>
  for (const [name, way] of Object.entries(ways)) {
    const { ws, peer } = await open(t, SIDE)
    ws.on('error', () => {})
    const timers = longTimers(t)
    peer.text('hello')
    await settle()
    t.equal(timers.length, 1, name)
    t.equal(timers[0]!.stopped, false)
    way(ws)
    await settle()
    t.equal(timers[0]!.stopped, true)
    ws.destroy()
    await ws.whenClosed()
  }
})

t.test('the timer starts with a whole message, not with a part of one, and only once', async t => {
  const { peer } = await open(t, SIDE)
  const timers = longTimers(t)
  peer.send(1, 'begun', { fin: false })
  await settle()
  t.equal(timers.length, 0)
  peer.send(0, 'ended')
  peer.text('another')
  await settle()
  peer.text('another')
  await settle()
  t.equal(timers.length, 1)
})

t.test('the warning is printed once for a process', async t => {
  const warnings: (Error & { code?: string })[] = []
  const warned = (warning: Error): void => void warnings.push(warning)
  process.on('warning', warned)
  t.teardown(() => process.off('warning', warned))
  for (let i = 0; i < 3; i++) {
    const { server, client } = await ours(t)
    const timers = longTimers(t)
    client.text('hello')
    while (timers.length === 0) await settle(1)
    timers[0]!.run()
    await settle()
    t.equal(server.readyState, 'open')
    server.destroy()
  }
  t.match(warnings, [
    {
      name: 'WebSocketWarning',
      code: 'WS_UNREAD',
      message:
        "messages of a WebSocket have waited for 10 s, and nothing reads them: listen for 'message', read ws.messages, or call ws.discardMessages()"
    }
  ])
  t.equal(warnings.length, 1)
})

t.test('the warning works if timers are numbers, as in a browser', async t => {
  const { setTimeout } = globalThis
  const { server, client } = await ours(t)
  t.teardown(() => Object.assign(globalThis, { setTimeout }))
  Object.assign(globalThis, {
    setTimeout: (run: () => void, delay: number) => (delay === 10_000 ? 0 : setTimeout(run, delay))
  })
  client.text('hello')
  await client.drained()
  await settle()
  t.equal(server.readyState, 'open')
})

t.test('while nothing reads, a Pong every 10 s finds out whether the peer is still there', async t => {
  const { ws, peer, socket } = await open(t, SIDE)
  const timers = longTimers(t)
  for (let i = 0; i < 100; i++) peer.text('x'.repeat(5000))
  await settle(20)
  t.equal(timers.length, 1)
  for (let i = 0; i < 2; i++) {
    timers.at(-1)!.run()
    t.match(await peer.nextFrame(), { opcode: 10, payload: Buffer.alloc(0) })
  }
  t.equal(timers.length, 3)
  peer.reset()
  socket.once('error', () => {})
  timers.at(-1)!.run()
  t.match(await ws.whenClosed(), { code: 1006, wasClean: false })
})

t.test('no Pong is sent to a peer that takes nothing', async t => {
  const { ws, peer } = await open(t, SIDE)
  const timers = longTimers(t)
  peer.stream.pause()
  peer.text('hello')
  ws.send(Buffer.alloc(200_000))
  await settle(20)
  const { bufferedAmount } = ws
  timers[0]!.run()
  t.equal(ws.bufferedAmount, bufferedAmount)
})

t.test('a listener that is added between two messages of a chunk stops the timer for good', async t => {
  const { ws, peer } = await open(t, SIDE)
  const timers = longTimers(t)
  const got: unknown[] = []
  ws.on('ping', () => ws.on('message', message => got.push(message)))
  peer.write(peer.frame(1, 'a'), peer.frame(9, ''), peer.frame(1, 'b'))
  while (got.length < 2) await settle()
  t.same(got, ['a', 'b'])
  t.ok(timers.every(({ stopped }) => stopped))
})
