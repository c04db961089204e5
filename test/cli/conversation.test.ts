// `connect` at a terminal: input, commands, and the line that is being typed while messages arrive.

import { createServer } from 'node:http'
import t from 'tap'
import { WebSocketStream } from '../../lib/index.js'
import { listen } from '../net/servers.js'
import { Inbox } from '../support/inbox.js'
import { type Running, start, type TestLike } from './support.js'

interface Talk extends Running {
  /** The server's end of the connection. */
  ws: WebSocketStream
  /** What the server receives, and how the connection ends. */
  told: Inbox<unknown>
  type(line: string): void
}

async function talk(t: TestLike, args: string[] = [], protocols: string[] = []): Promise<Talk> {
  const server = createServer()
  const met = new Inbox<WebSocketStream>()
  const told = new Inbox<unknown>()
  server.on('upgrade', (request, socket, head) => {
    const ws = WebSocketStream.http(request, head, { protocols })
    ws.attach(socket)
    ws.on('message', message => told.put(message)).on('close', info => told.put(info))
    met.put(ws)
  })
  const url = `ws://127.0.0.1:${await listen(t, server)}/`
  const tty = { stdin: true, stdout: true }
  const running = start(t, ['connect', url, ...args], { input: null, tty, env: { NO_COLOR: '1' } })
  const ws = (await met.take())!
  await running.stdout.saw(/> /)
  return { ...running, ws, told, type: line => void running.stdin.write(`${line}\r`) }
}

t.test('lines are sent as messages, and received messages are printed above the prompt', async t => {
  const { type, told, ws, stdin, stdout, stderr, code } = await talk(t, ['--protocol', 'chat'], ['chat'])
  t.match(stderr.text, /^connected to ws:.* \(hybi-13, subprotocol chat\); \/help for help, Ctrl-D to close\n$/)
  type('hello')
  t.equal(await told.take(), 'hello')
  ws.text('\x1b[31mhi')
  await stdout.saw(/< \\x1b\[31mhi\n/)
  ws.binary(Buffer.from([1, 0xab]))
  await stdout.saw(/< 2 bytes 01ab\n/)
  stdin.write('\x04')
  t.equal(await code, 0)
  t.match(await told.take(), { code: 1000 })
  t.match(stderr.text, /\nclosed: 1000 \(normal\)\n$/)
})

t.test('it is a failure if the server closes before --once is met, but not if the user does', async t => {
  const one = await talk(t, ['--once', '2'])
  one.ws.text('hi')
  one.ws.close(1008)
  t.equal(await one.code, 1)
  t.match(one.stderr.text, 'websocket-duplex: closed: 1008 (policy violation); 1 of 2 messages came\n')
  const other = await talk(t, ['--once', '2'])
  other.stdin.write('\x04')
  t.equal(await other.code, 0)
})

t.test('the line being typed is kept, even if it is longer than the screen is wide', async t => {
  const { stdin, ws, stdout, told, type } = await talk(t)
  stdout.stream.columns = 20
  stdin.write('x'.repeat(50))
  await stdout.saw(/x{50}/)
  ws.text('meanwhile')
  const [, after] = await stdout.saw(/\x1b\[2A\x1b\[1G\x1b\[0J< meanwhile\n(.*x{50})/s)
  t.notMatch(after, /\x1b\[\dA/, 'nothing of it is overwritten')
  type('')
  t.equal(await told.take(), 'x'.repeat(50))
})

t.test('commands', async t => {
  const { type, told, stdout, code } = await talk(t)
  type('/help')
  await stdout.saw(/\/binary HEX {7}sends bytes/)
  type('/nonsense')
  await stdout.saw(/(\/binary HEX[\s\S]*){2}/)
  type('/ping')
  await stdout.saw(/pong after [\d.]+ ms/)
  type('/binary 00 fF')
  t.strictSame(await told.take(), Buffer.from([0, 255]))
  type('/binary 0')
  await stdout.saw(/\/binary needs pairs of hexadecimal digits/)
  type('//help')
  t.equal(await told.take(), '/help')
  type('')
  type('/close 99')
  await stdout.saw(/'99' is not CODE/)
  type('/close 4002:enough')
  t.match(await told.take(), { code: 4002, reason: 'enough' })
  t.equal(await code, 0)
})

t.test('/close without arguments closes as --close says', async t => {
  const { type, told, code } = await talk(t, ['--close', '4003'])
  type('/close')
  t.match(await told.take(), { code: 4003 })
  t.equal(await code, 0)
})

t.test('Ctrl-C closes', async t => {
  const { stdin, told, code } = await talk(t)
  stdin.write('\x03')
  t.match(await told.take(), { code: 1000 })
  t.equal(await code, 0)
})

t.test('a signal closes too', async t => {
  const { interrupt, told, code } = await talk(t)
  interrupt()
  t.match(await told.take(), { code: 1000 })
  t.equal(await code, 0)
})

t.test('--binary and --once work as without a terminal', async t => {
  const { type, told, ws, code, stdout } = await talk(t, ['--binary', '--once', '2'])
  type('bytes')
  t.strictSame(await told.take(), Buffer.from('bytes'))
  ws.text('one')
  ws.text('two')
  t.equal(await code, 0)
  t.match(stdout.text, /< two/)
})

t.test('when the server leaves, the program ends and says why', async t => {
  const { ws, code, stderr } = await talk(t)
  ws.close(1001, 'closing time')
  t.equal(await code, 0)
  t.match(stderr.text, "closed: 1001 (going away) 'closing time'\n")
})

t.test('a connection that is lost is a failure', async t => {
  const { ws, code, stderr } = await talk(t)
  ws.destroy()
  t.equal(await code, 1)
  t.match(stderr.text, 'websocket-duplex: the connection ended without a closing handshake\n')
})

t.test('a message that can no longer be sent is reported', async t => {
  const { ws, type, stdout, stdin } = await talk(t, ['--timeout', '0.3'])
  // half of a closing handshake: the server does not read our Close
  ;(ws.request!.socket as { pause(): void }).pause()
  stdin.write('\x03')
  type('/ping')
  await stdout.saw(/no longer takes messages/)
})

t.test('messages that arrive after the last line are still printed', async t => {
  const { ws, stdin, stdout, code } = await talk(t)
  ws.on('message', message => ws.text(`last ${message}`))
  stdin.write('word\r\x04')
  t.equal(await code, 0)
  t.match(stdout.text, /< last word\n$/)
})
