// The callbacks of send, text and binary: they come when the wire has written the message, or with an error when it cannot.

import { once } from 'node:events'
import t from 'tap'
import { permessageDeflate, prepareMessage, TextBytes, WebSocketStream } from '../../lib/index.js'
import { pair } from '../support/pair.js'
import { IN_MEMORY, nameOf, open, ours, SETUPS, settle, tcpPair } from './sides.js'

const FORMS: [string, (ws: WebSocketStream, sent: (error?: Error | null) => void) => boolean][] = [
  ['text', (ws, sent) => ws.text('text', sent)],
  ['text with options', (ws, sent) => ws.text('text', { compress: false }, sent)],
  ['bytes of text', (ws, sent) => ws.text(Buffer.from('text'), sent)],
  ['binary', (ws, sent) => ws.binary([1], sent)],
  ['binary with options', (ws, sent) => ws.binary(Buffer.alloc(3), {}, sent)],
  ['send of a string', (ws, sent) => ws.send('text', sent)],
  ['send of TextBytes', (ws, sent) => ws.send(new TextBytes(Buffer.from('text')), {}, sent)],
  ['send of bytes', (ws, sent) => ws.send(new DataView(new ArrayBuffer(4)), sent)],
  ['send of bytes with options', (ws, sent) => ws.send(new ArrayBuffer(4), { compress: true }, sent)],
  ['send of a Blob', (ws, sent) => ws.send(new Blob(['blob']), sent)],
  ['send of a Blob with options', (ws, sent) => ws.send(new Blob(['blob']), { compress: false }, sent)],
  ['send of what is prepared', (ws, sent) => ws.send(prepareMessage('text'), sent)]
]

for (const setup of SETUPS) {
  t.test(`each form calls back once, in order: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    const told: string[] = []
    for (const [name, send] of FORMS) {
      const isTrue = send(ws, error => {
        t.equal(error ?? null, null, name)
        told.push(name)
      })
      t.equal(isTrue, true, name)
    }
    for (const _ of FORMS) await peer.nextFrame()
    while (told.length < FORMS.length) await settle(1)
    t.same(
      told.filter(name => !name.includes('Blob')),
      FORMS.map(([name]) => name).filter(name => !name.includes('Blob'))
    )
  })
}

for (const setup of IN_MEMORY) {
  t.test(`after the end, the callback of every form of data gets an error: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    ws.close()
    await peer.answerClose()
    await ws.whenClosed()
    for (const [name, send] of FORMS) {
      const failed = new Promise(resolve => t.equal(send(ws, resolve), false, name))
      t.match(await failed, { code: 'WS_ERR_NOT_OPEN' }, name)
    }
  })

  t.test(`data that the wire never takes fails at the end: ${nameOf(setup)}`, async t => {
    const { ws, peer } = await open(t, setup)
    peer.stream.pause()
    const failed = new Promise(resolve => {
      for (let i = 0; i < 9; i++) ws.binary(Buffer.alloc(65536))
      ws.text('never', resolve)
    })
    await settle()
    ws.destroy()
    t.match(await failed, { code: 'WS_ERR_NOT_OPEN' })
  })

  t.test(
    `callbacks of a connection that is read through a view run when the wire has written: ${nameOf(setup)}`,
    async t => {
      const { ws, peer } = await open(t, setup)
      ws.messages.resume()
      const sent = new Promise(resolve => ws.text('view', resolve))
      t.equal((await peer.nextFrame())?.payload.toString(), 'view')
      t.equal((await sent) ?? null, null)
      t.throws(() => ws.text('text', {}, 5 as never), { message: 'the callback must be a function' })
    }
  )
}

t.test('data whose callback has run arrives, even if the connection is destroyed in the callback', async t => {
  const [left, right] = await tcpPair(t, true)
  const client = WebSocketStream.client('ws://localhost/').attach(left)
  const server = WebSocketStream.server().attach(right)
  const message = once(server, 'message')
  await client.opened
  client.binary(Buffer.alloc(8 * 2 ** 20), () => client.destroy())
  t.equal(((await message)[0] as Buffer).length, 8 * 2 ** 20)
  t.match(await server.whenClosed(), { code: 1006 })
})

t.test('compressed messages call back in order, and fail at the end if they are dropped', async t => {
  const { server, client } = await ours(t, { extensions: [permessageDeflate()] })
  server.discardMessages()
  const told: number[] = []
  for (let i = 0; i < 3; i++) client.text('a long text '.repeat(5000 * (3 - i)), () => told.push(i))
  await client.drained()
  t.same(told, [0, 1, 2])
  const failed = new Promise(resolve => client.text('x'.repeat(2 ** 20), resolve))
  client.destroy()
  t.match(await failed, { code: 'WS_ERR_NOT_OPEN' })
})

t.test('callbacks wait for the handshake, and get an error if it fails', async t => {
  const [socket] = pair()
  const ws = WebSocketStream.client('ws://localhost/').attach(socket)
  const failed = new Promise(resolve => t.equal(ws.text('early', resolve), true))
  ws.destroy()
  t.match(await failed, { code: 'WS_ERR_NOT_OPEN' })
})

for (const role of ['server', 'client'] as const) {
  t.test(`the error of unsent data says why: ${role}`, async t => {
    const setup = { role, join: 'attach', wire: 'memory' } as const
    const why = async (end: (side: Awaited<ReturnType<typeof open>>) => unknown): Promise<Error> => {
      const side = await open(t, setup)
      // otherwise a Close would wait
      side.ws.on('message', () => {})
      await end(side)
      await settle()
      side.ws.destroy()
      await side.ws.whenClosed()
      const failed = await side.ws.drained().then(
        () => null,
        error => error as Error
      )
      t.match(failed, { code: 'WS_ERR_NOT_OPEN', closeCode: 1006 })
      const given = await new Promise(resolve => side.ws.text('late', resolve))
      t.match(given, { code: 'WS_ERR_NOT_OPEN', message: failed!.message })
      return failed!
    }
    const text = 'the connection no longer takes messages'
    t.match(await why(({ peer }) => peer.close(1009, 'too large')), {
      message: `${text}: the peer closed it with 1009 too large`
    })
    t.match(await why(({ peer }) => peer.close(4000)), { message: `${text}: the peer closed it with 4000` })
    t.match(await why(({ peer }) => peer.reset()), {
      message: `${text}: the connection ended without a closing handshake`,
      cause: { code: 'WS_ERR_CONNECTION_LOST' }
    })
    const closed = await why(async ({ ws, peer }) => {
      ws.close()
      await peer.answerClose()
    })
    t.equal(closed.message, text)
  })
}
