// `connect --bytes` and `serve --tcp`: plain bytes in both directions, until each side has sent everything.

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import t from 'tap'
import { connect } from '../../lib/index.js'
import { finish, start, startServer, type TestLike } from './support.js'

async function listening(t: TestLike, handler: (socket: Socket) => void): Promise<string> {
  const server: Server = createServer({ allowHalfOpen: true }, socket => {
    t.teardown(() => socket.destroy())
    handler(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return `127.0.0.1:${(server.address() as { port: number }).port}`
}

t.test(
  'stdin is sent to the TCP server, and its reply after the end of stdin is printed',
  { timeout: 60_000 },
  async t => {
    const sent = randomBytes(300_000)
    const target = await listening(t, async socket => {
      const chunks: Buffer[] = []
      for await (const chunk of socket.iterator({ destroyOnReturn: false })) chunks.push(chunk)
      socket.write(`${Buffer.concat(chunks).equals(sent)} `)
      socket.end('and goodbye')
    })
    const { url } = await startServer(t, ['serve', '--port', '0', '--tcp', target])
    const { code, out, err } = await finish(t, ['connect', '--bytes', url!], { input: sent })
    t.equal(out, 'true and goodbye')
    t.equal(err, '')
    t.equal(code, 0)
  }
)

t.test('the end of the TCP server is the end of the command, with --wait too', { timeout: 60_000 }, async t => {
  const target = await listening(t, socket => void socket.end('hello'))
  const { url } = await startServer(t, ['serve', '--port', '0', '--tcp', target])
  const { code, stdout } = start(t, ['connect', '--bytes', '--wait', url!])
  t.equal(await code, 0)
  t.equal(stdout.text, 'hello')
})

t.test('if the target cannot be reached, or breaks, the connection closes with 1011', { timeout: 60_000 }, async t => {
  const broken = await listening(t, socket => void socket.resetAndDestroy())
  for (const target of ['127.0.0.1:1', broken, '/not/there']) {
    const { url, stderr } = await startServer(t, ['serve', '--port', '0', '--tcp', target])
    const { code, err } = await finish(t, ['connect', '--bytes', url!], { input: null })
    t.equal(code, 1)
    t.match(err, /1011|given up|did not end|complete/)
    await stderr.saw(new RegExp(`${target}: .*(ECONNREFUSED|ECONNRESET|EPIPE|ENOENT)`))
  }
})

t.test('a text message fails the connection', { timeout: 60_000 }, async t => {
  const target = await listening(t, socket => socket.resume())
  const { url } = await startServer(t, ['serve', '--port', '0', '--tcp', target])
  const ws = connect(url!)
  ws.text('text')
  t.match(await ws.whenClosed(), { code: 1003 })
})

t.test('options that cannot be combined, and invalid targets', async t => {
  const wrong = async (...args: string[]) => (await finish(t, args)).err
  t.match(await wrong('connect', '--bytes', '--stream', 'ws://x'), '--bytes and --listen cannot be combined with')
  for (const target of ['host', 'host:', ':80', 'host:0', 'host:65536', 'a:b']) {
    t.match(
      await wrong('serve', '--tcp', target),
      `: --tcp needs HOST:PORT, or the PATH of a unix socket, not '${target}'`
    )
  }
  t.match(await wrong('serve', '--tcp', '[::1]:80', '--echo'), 'exclude each other')
})
