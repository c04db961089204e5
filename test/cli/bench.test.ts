// `bench`: what it counts and prints, and its message if nothing can be measured.

import { createServer } from 'node:http'
import t from 'tap'
import { type Message, type WebSocketOptions, WebSocketStream } from '../../lib/index.js'
import { echo, listen } from '../net/servers.js'
import { finish, start, type TestLike } from './support.js'

async function answering(
  t: TestLike,
  answer: (ws: WebSocketStream, message: Message) => unknown,
  options?: WebSocketOptions
): Promise<string> {
  const server = createServer()
  server.on('upgrade', (request, socket, head) => {
    const ws = WebSocketStream.http(request, head, options)
    ws.on('message', message => answer(ws, message))
    ws.attach(socket)
  })
  return `ws://127.0.0.1:${await listen(t, server)}/`
}

async function echoUrl(t: TestLike): Promise<string> {
  return `ws://127.0.0.1:${(await echo(t)).port}/`
}

const TABLE =
  /^2 × 3 in flight, 125 bytes of text; latency in ms\n\nmessages +time +messages\/s +MB\/s +min +p50 +p90 +p99 +max\n100 +[\d.,]+ s +[\d.,]+ +[\d.,]+( +[\d.,]+){5}\n\n/

t.test('--messages sends that many, and prints a table and a histogram', async t => {
  const args = ['--connections', '2', '--in-flight', '3', '--messages', '100']
  const { code, out, err } = await finish(t, ['bench', await echoUrl(t), ...args])
  t.strictSame({ code, err }, { code: 0, err: '' })
  t.match(out, TABLE)
  const rows = out.trimEnd().split('\n').slice(5)
  t.ok(rows.length >= 1 && rows.length <= 16)
  t.ok(rows.every(row => /^ +[\d.]+ +– +[\d.]+ +\d+( [█▏▎▍▌▋▊▉]+)?$/.test(row)))
  t.equal(
    rows.reduce((sum, row) => sum + Number(row.split(/ +/)[4]), 0),
    100
  )
})

t.test('fewer messages than could be in flight', async t => {
  const args = ['--connections', '2', '--in-flight', '30', '--messages', '5', '--json']
  const { out } = await finish(t, ['bench', await echoUrl(t), ...args])
  t.equal(JSON.parse(out).messages, 5)
})

t.test('binary messages, or empty ones', async t => {
  const bench = async (...more: string[]): Promise<string> =>
    (await finish(t, ['bench', await echoUrl(t), '--connections', '1', '--messages', '2', ...more])).out
  t.match(await bench('--binary'), /^1 × 1 in flight, 125 bytes of binary; /)
  t.match(await bench('--size', '0'), /^1 × 1 in flight, 0 bytes of text; /)
})

t.test('--duration runs that long, and --json prints JSON', async t => {
  const kinds = new Set<string>()
  const url = await answering(t, (ws, message) => {
    kinds.add(`${typeof message} of ${message.length}`)
    ws.binary(message as Buffer)
  })
  const args = ['--duration', '0.1', '--binary', '--size', '1000', '--connections', '1', '--json', '--compress']
  const { code, out } = await finish(t, ['bench', url, ...args])
  t.equal(code, 0)
  t.strictSame([...kinds], ['object of 1000'])
  const result = JSON.parse(out)
  t.match(result, { url, connections: 1, inFlight: 1, size: 1000, kind: 'binary', compress: true })
  t.ok(result.messages > 0 && result.seconds > 0.09)
  t.ok(Math.abs(result.messagesPerSecond - result.messages / result.seconds) < 1)
  t.ok(Math.abs(result.megabytesPerSecond - result.messagesPerSecond / 1000) < 0.01)
  const { min, p50, p90, p99, max } = result.latency
  t.ok(0 < min && min <= p50 && p50 <= p90 && p90 <= p99 && p99 <= max)
})

t.test('progress is on stderr, on a terminal only', async t => {
  const args = ['--connections', '1', '--duration', '0.35']
  const { err } = await finish(t, ['bench', await echoUrl(t), ...args], { tty: { stderr: true } })
  t.match(err, /^(\r\x1b\[K[█▏▎▍▌▋▊▉]*·* [\d,]+ messages\/s)+\r\x1b\[K$/)
  const counted = await finish(t, ['bench', await slow(t), '--messages', '3', '--connections', '1'], {
    tty: { stderr: true }
  })
  t.match(counted.err, /█+.*·+ [\d,]+ messages\/s/)
})

function slow(t: TestLike): Promise<string> {
  return answering(t, (ws, message) => setTimeout(() => ws.text(message as string), 80))
}

t.test('an interrupt ends it early, with the results so far', async t => {
  const running = start(t, ['bench', await echoUrl(t), '--duration', '60', '--json'], { tty: { stderr: true } })
  await running.stderr.saw(/[1-9]\d* messages\/s/)
  running.interrupt()
  t.equal(await running.code, 0)
  t.ok(JSON.parse(running.stdout.text).messages > 0)
})

t.test('an interrupt before the connection is open', async t => {
  const server = createServer()
  const asked = new Promise(resolve => server.on('upgrade', resolve))
  const url = `ws://127.0.0.1:${await listen(t, server)}/`
  const running = start(t, ['bench', url])
  await asked
  running.interrupt()
  t.equal(await running.code, 1)
})

t.test('a server that refuses', async t => {
  const url = await answering(t, () => {}, { origins: ['http://page.example'] })
  const { code, err } = await finish(t, ['bench', url, '--origin', 'http://other.example', '--connections', '2'])
  t.equal(code, 1)
  t.match(err, /^websocket-duplex: the server answered 403 Forbidden\n/)
})

t.test('a server that does not echo', async t => {
  const bench = async (answer: (ws: WebSocketStream, message: Message) => unknown): Promise<string> => {
    const args = ['--connections', '2', '--timeout', '0.2', '--messages', '100']
    const { code, out, err } = await finish(t, ['bench', await answering(t, answer), ...args])
    t.strictSame({ code, out }, { code: 1, out: '' })
    return err
  }
  const isNone = 'the server does not echo messages; bench needs an echo server'
  t.match(await bench(ws => ws.text('short')), isNone)
  t.match(await bench((ws, message) => ws.binary(Buffer.from(message as string))), isNone)
  t.match(
    await bench((ws, message) => {
      ws.text(message as string)
      ws.text(message as string)
      ws.text(message as string)
    }),
    isNone
  )
  t.match(await bench(() => {}), 'the server has sent nothing back for 0.2 seconds')
  t.match(await bench(ws => ws.close(1013)), 'a connection ended with 1013')
})

t.test('wrong usage', async t => {
  const wrong = async (...args: string[]): Promise<string> => {
    const { code, err } = await finish(t, ['bench', ...args])
    t.equal(code, 2, args.join(' '))
    return err
  }
  t.match(await wrong('ws://x', '--messages', '1', '--duration', '1'), '--messages and --duration exclude each other')
  t.match(await wrong('ws://x', '--text', '--binary'), '--text and --binary exclude each other')
  t.match(await wrong('ws://'), 'not a URL')
  t.match(await wrong('ws://x', '--connections', '0'), '--connections must be')
})
