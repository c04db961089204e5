// A process for each connection: its lines, its bytes, and how one ends the other.

import { once } from 'node:events'
import t from 'tap'
import { type ProcessSettings, runFor } from '../../lib/cli/command-process.js'
import { type WebSocketOptions, WebSocketStream } from '../../lib/index.js'
import { Inbox } from '../support/inbox.js'
import { pair } from '../support/pair.js'
import { RawPeer, requestHead } from '../support/raw-peer.js'
import type { TestLike } from './support.js'

interface Ran {
  client: WebSocketStream
  messages: Inbox<unknown>
  outcome: Promise<string | null>
  complaints: Inbox<string>
}

/** A server's connection with a process, and the client at the other end. */
function run(
  t: TestLike,
  words: string[],
  settings: Partial<ProcessSettings> = {},
  options: WebSocketOptions = {}
): Ran {
  const [near, far] = pair()
  const server = WebSocketStream.server(options).attach(near)
  const client = WebSocketStream.client('ws://test/').attach(far)
  const messages = new Inbox<unknown>()
  const complaints = new Inbox<string>()
  if (!settings.stream) client.on('message', message => messages.put(message))
  const complain = (chunk: Buffer): void => complaints.put(String(chunk))
  const rest = {
    shell: false,
    stream: false,
    groups: true,
    linger: 200,
    grace: 200,
    farewell: 10_000,
    env: process.env,
    complain
  }
  const outcome = once(server, 'open').then(() => runFor(server, { words, ...rest, ...settings }))
  t.teardown(() => {
    client.destroy()
    return outcome
  })
  return { client, messages, outcome, complaints }
}

const NODE = process.execPath
const node = (script: string): string[] => [NODE, '-e', script]
const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

t.test('lines in both directions', async t => {
  const { client, messages, outcome } = run(t, ['cat'])
  client.text('one')
  client.text('two\nthree')
  client.binary(Buffer.from('four'))
  for (const line of ['one', 'two', 'three', 'four']) t.equal(await messages.take(), line)
  client.close()
  t.equal(await outcome, null)
})

t.test('streams in both directions', async t => {
  const { client, outcome } = run(t, ['cat'], { stream: true })
  const bytes = Buffer.from([0, 10, 13, 255])
  client.binary(bytes)
  const message = await new Promise(resolve => client.once('message', resolve))
  t.strictSame(message, bytes)
  client.close()
  t.equal(await outcome, null)
})

for (const way of ['lines', 'stream'] as const) {
  t.test(`${way}: a Close is answered after the output that the process writes at the end of its stdin`, async t => {
    const script = 'let all = ""; process.stdin.on("data", d => all += d).on("end", () => console.log(all.length))'
    const { client, outcome } = run(t, node(script), { stream: way === 'stream', linger: 60_000 })
    const received: string[] = []
    client.on('message', message => received.push(message.toString().trim()))
    await client.opened
    if (way === 'stream') client.binary(Buffer.alloc(300_000, 'x'))
    else for (let i = 0; i < 30_000; i++) client.text('123456789')
    client.close(4000, 'done')
    t.match(await client.whenClosed(), { code: 1000, wasClean: true })
    t.strictSame(received, ['300000'])
    t.equal(await outcome, null)
  })
}

t.test('a process that still writes after its stdin has ended is not ended', async t => {
  const script = `
    console.log('ready')
    let n = 0
    const write = () => {
      console.log(++n)
      if (n === 15) process.exit()
    }
    process.stdin.resume().on('end', () => setInterval(write, 100))`
  // 1.5 s of output; 1 s of silence would end it
  const { client, messages, outcome } = run(
    t,
    node(script),
    { linger: 1000 },
    { closeTimeout: Number.POSITIVE_INFINITY }
  )
  await messages.take()
  client.close()
  for (let n = 1; n <= 15; n++) t.equal(await messages.take(), String(n))
  t.match(await client.whenClosed(), { code: 1000, wasClean: true })
  t.equal(await outcome, null)
})

t.test('a Close with nothing before it ends the stdin of a process as well', async t => {
  const { client, outcome } = run(t, ['sort'], { linger: 60_000 })
  await client.opened
  client.close()
  t.match(await client.whenClosed(), { code: 1000, wasClean: true })
  t.equal(await outcome, null)
})

t.test('the exit code after the end of stdin is reported', async t => {
  const { client, outcome } = run(t, ['cat > /dev/null; exit 3'], { shell: true, linger: 60_000 })
  await client.opened
  client.close()
  t.match(await client.whenClosed(), { code: 1011, reason: 'the command ended with exit code 3' })
  t.equal(await outcome, 'ended with exit code 3')
})

t.test('a process that continues after the end of its stdin is ended, and the Close answered', async t => {
  const { client, messages, outcome } = run(t, node('console.log(1); setInterval(() => {}, 1e3)'), { linger: 20 })
  await messages.take()
  client.close()
  t.match(await client.whenClosed(), { code: 1000, wasClean: true })
  t.equal(await outcome, null)
})

t.test('a process that ends closes with 1000, after all its output', async t => {
  const { client, messages, outcome } = run(t, node('for (let i = 0; i < 1000; i++) console.log(i)'))
  for (let i = 0; i < 1000; i++) if ((await messages.take()) !== String(i)) t.fail(`line ${i}`)
  t.match(await client.whenClosed(), { code: 1000, wasClean: true })
  t.equal(await outcome, null)
})

t.test('a process that fails closes with 1011', async t => {
  const failing = run(t, node('process.stderr.write("oops"); process.exitCode = 3'))
  t.equal(await failing.complaints.take(), 'oops')
  t.match(await failing.client.whenClosed(), { code: 1011, reason: 'the command ended with exit code 3' })
  t.equal(await failing.outcome, 'ended with exit code 3')
  const killed = run(t, node('process.kill(process.pid, "SIGKILL")'))
  t.match(await killed.client.whenClosed(), { code: 1011, reason: 'the command was ended by SIGKILL' })
})

t.test('a peer that does not answer the Close at the end is soon dropped', async t => {
  const [near, far] = pair()
  const server = WebSocketStream.server({ closeTimeout: Number.POSITIVE_INFINITY }).attach(near)
  const peer = new RawPeer(far, 'client')
  peer.write(requestHead())
  await once(server, 'open')
  const settings = {
    shell: false,
    stream: false,
    groups: true,
    linger: 200,
    grace: 200,
    farewell: 20,
    env: process.env
  }
  t.equal(await runFor(server, { ...settings, words: node(''), complain: () => {} }), null)
  t.match(await server.whenClosed(), { code: 1006 })
})

t.test('a program that does not exist', async t => {
  const { client, outcome } = run(t, ['/not/there'])
  t.match(await client.whenClosed(), {
    code: 1011,
    reason: 'the command could not be started: spawn /not/there ENOENT'
  })
  t.match(await outcome, 'could not be started')
})

t.test('a program whose name is too long for a Close frame', async t => {
  const { client, outcome } = run(t, [`/not/there/${'\u00fc'.repeat(100)}`])
  const { reason } = await client.whenClosed()
  t.equal(reason, `the command could not be started: spawn /not/there/${'\u00fc'.repeat(36)}`)
  t.match(await outcome, 'ENOENT')
})

t.test('a line over the limit ends the process', async t => {
  const { client, outcome } = run(t, node('process.stdout.write(Buffer.alloc(70e6)); setInterval(() => {}, 1e3)'))
  t.match(await client.whenClosed(), { code: 1011 })
  t.equal(await outcome, 'was ended: a line is longer than 67108864 bytes')
})

const STUBBORN = 'process.on("SIGTERM", () => {}); console.log(process.pid); setInterval(() => {}, 1000)'

for (const groups of [true, false]) {
  t.test(`the end of the connection ends the process, even one that resists; groups: ${groups}`, async t => {
    const { client, messages, outcome } = run(t, node(STUBBORN), { groups })
    const pid = Number(await messages.take())
    t.ok(isAlive(pid))
    client.destroy()
    t.equal(await outcome, null)
    t.notOk(isAlive(pid))
  })
}

t.test('processes that a process has started end with it', async t => {
  const { client, messages, outcome } = run(t, ['sleep 100 & echo $!; wait'], { shell: true })
  const pid = Number(await messages.take())
  t.ok(isAlive(pid))
  client.close()
  t.equal(await outcome, null)
  const { messages: others, outcome: done } = run(t, ['sleep 100 & echo $!'], { shell: true })
  const other = Number(await others.take())
  t.equal(await done, null)
  t.ok(other > 0)
})

t.test(
  'a process that does not read applies backpressure, and one that has closed its stdin is not an error',
  async t => {
    const { client, messages, outcome } = run(
      t,
      node('process.stdin.destroy(); console.log(1); setInterval(() => {}, 1e3)')
    )
    await messages.take()
    client.text('nobody reads this')
    client.text('x'.repeat(1e6))
    t.ok((await client.ping()) >= 0)
    client.close()
    t.equal(await outcome, null)
  }
)
