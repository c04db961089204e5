// The programs for the Autobahn suite, with this test in its place: the server echoes, the client asks for cases and echoes. And
// how the suite's reports are summarised.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { connect, type Message, permessageDeflate, WebSocketStream } from '../../../lib/index.js'
import { stopChild } from '../../support/peers.js'
import { listenOnLoopback } from '../our-side.js'
// @ts-expect-error -- a program of plain JavaScript
import { summaryOf } from './summary.js'

const MESSAGES: Message[] = ['Hello', '', 'é€😀'.repeat(1000), Buffer.alloc(0), Buffer.alloc(70_000, 7)]
const isBuilt = existsSync(new URL('../../../dist/index.js', import.meta.url))

/** Starts one of the programs, without the environment that tap gives its children: the build is not part of the coverage. */
function start(t: Test, name: string, ...args: string[]) {
  const program = fileURLToPath(new URL(name, import.meta.url))
  const child = spawn('env', ['-i', process.execPath, program, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(child, 'close').then(([status]) => status as number | null)
  t.teardown(() => stopChild(child, ended))
  return { child, ended }
}

/** Sends messages, and returns the echoes. */
async function echoes(ws: WebSocketStream): Promise<Message[]> {
  const got: Message[] = []
  for (const message of MESSAGES) ws.messages.write(message)
  for await (const message of ws.messages) if (got.push(message) === MESSAGES.length) ws.close(1000)
  return got
}

t.test('they are built', async t => t.ok(isBuilt, 'needs dist: npm run build'))

t.test('the server echoes, compressed and plain', { skip: !isBuilt, timeout: 30_000 }, async t => {
  const { child } = start(t, 'server.js', '0')
  const [url] = (await once(createInterface({ input: child.stdout! }), 'line')) as [string]
  for (const extensions of [[], [permessageDeflate()]]) {
    const ws = connect(url, { extensions })
    t.strictSame(await echoes(ws), MESSAGES)
    t.match(await ws.whenClosed(), { code: 1000, wasClean: true })
    t.equal(ws.extensions !== '', extensions.length > 0)
  }
})

t.test('the client runs all cases, and writes the reports', { skip: !isBuilt, timeout: 30_000 }, async t => {
  const asked: string[] = []
  const got: Message[][] = []
  const server = createServer().on('upgrade', (request, socket, head) => {
    const ws = WebSocketStream.http(request, head, { extensions: [permessageDeflate()] }).attach(socket)
    asked.push(request.url!)
    if (request.url === '/getCaseCount') ws.text('3')
    if (!request.url!.startsWith('/runCase')) ws.close(1000)
    // a case may end in an error, or without a closing handshake
    else if (request.url!.includes('case=2')) ws.on('open', () => socket.write(Buffer.from([0xf0, 0])))
    else void echoes(ws).then(messages => got.push(messages))
  })
  const client = start(t, 'client.js', `ws://127.0.0.1:${await listenOnLoopback(t, server)}`)
  client.child.stdout!.resume()
  t.equal(await client.ended, 0)
  const agent = 'agent=websocket-duplex'
  t.strictSame(asked, [
    '/getCaseCount',
    ...[1, 2, 3].map(number => `/runCase?case=${number}&${agent}`),
    `/updateReports?${agent}`
  ])
  t.strictSame(got, [MESSAGES, MESSAGES])
})

t.test('a report without a failure passes', async t => {
  const report = (behavior: string, behaviorClose = 'OK') =>
    summaryOf(
      JSON.stringify({ us: { '1.1.1': { behavior: 'OK', behaviorClose: 'OK' }, '7.9.1': { behavior, behaviorClose } } })
    )
  t.strictSame(report('OK'), { isRight: true, text: '2 OK' })
  t.strictSame(report('NON-STRICT'), { isRight: true, text: '1 OK, 1 NON-STRICT' })
  t.strictSame(report('INFORMATIONAL'), { isRight: true, text: '1 OK, 1 INFORMATIONAL' })
  t.strictSame(report('FAILED'), { isRight: false, text: '1 OK, 1 FAILED\n  7.9.1 FAILED' })
  t.strictSame(report('OK', 'UNCLEAN'), { isRight: false, text: '2 OK\n  7.9.1 closes UNCLEAN' })
  t.equal(summaryOf('{}').isRight, false)
})
