// `connect`: messages from options instead of stdin, other formats, one direction only, and ways to the server.

import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { createServer as createTcpServer, connect as dial, type Socket } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { WebSocketStream } from '../../lib/index.js'
import { echo, listen, serve } from '../net/servers.js'
import { AUTHORITY, CLIENT, LOCALHOST } from '../support/certificates.js'
import { finish, start, startServer, type TestLike } from './support.js'

async function echoUrl(t: TestLike): Promise<string> {
  const { port } = await echo(t)
  return `ws://127.0.0.1:${port}/`
}

t.test('--execute sends its messages instead of stdin, and closes', async t => {
  const url = await echoUrl(t)
  t.match(await finish(t, ['connect', url, '-x', 'one', '--execute', 'two\n'], { input: null }), {
    code: 0,
    out: 'one\ntwo\n\n'
  })
  const { out } = await finish(t, ['connect', url, '-x', 'asked', '--once'], {
    input: null,
    tty: { stdin: true, stdout: true }
  })
  t.equal(out, 'asked\n', 'at a terminal too')
})

t.test('--null: messages end with NUL in both directions', async t => {
  const { out } = await finish(t, ['connect', await echoUrl(t), '-0'], { input: 'one\nmore\0two' })
  t.equal(out, 'one\nmore\0two\0')
})

t.test('--length-prefixed: messages follow their length in both directions', async t => {
  const input = Buffer.from('\0\0\0\x03one\0\0\0\0\0\0\0\x02\xff\n', 'latin1')
  const url = await echoUrl(t)
  const running = start(t, ['connect', url, '--length-prefixed', '--binary'], { input })
  t.equal(await running.code, 0)
  t.strictSame(running.stdout.bytes, input)
  t.match(await finish(t, ['connect', url, '--length-prefixed'], { input: '\0\0\0\x03on' }), {
    code: 1,
    err: 'websocket-duplex: stdin ends within a record\n'
  })
})

t.test('--send-only drops received messages, --receive-only does not read stdin', async t => {
  const server = createServer()
  server.on('upgrade', (request, socket, head) => {
    const ws = WebSocketStream.http(request, head).attach(socket)
    ws.text('x'.repeat(300_000))
    ws.text('said')
    if (request.url === '/ends') ws.close()
    else ws.messages.pipe(ws.messages)
  })
  const url = `ws://127.0.0.1:${await listen(t, server)}`
  t.match(await finish(t, ['connect', `${url}/`, '-u'], { input: 'one\n' }), { code: 0, out: /^$/, err: '' })
  const received = await finish(t, ['connect', `${url}/ends`, '-U'], { input: null })
  t.match(received, { code: 0, out: /^x{300000}\nsaid\n$/ })
})

t.test('--location follows redirects', async t => {
  const url = await echoUrl(t)
  const port = await serve(t, async (peer, socket) => {
    await peer.head()
    socket.end(`HTTP/1.1 302 Found\r\nLocation: ${url}\r\nContent-Length: 0\r\n\r\n`)
  })
  t.match(await finish(t, ['connect', `ws://127.0.0.1:${port}/`], { input: 'a\n' }), { code: 1, err: /302/ })
  t.match(await finish(t, ['connect', `ws://127.0.0.1:${port}/`, '-L'], { input: 'a\n' }), { code: 0, out: 'a\n' })
})

t.test('--auth logs in', async t => {
  const { port, requests } = await echo(t)
  await finish(t, ['connect', `ws://127.0.0.1:${port}/`, '--auth', 'me:pass:wörd'])
  t.equal(requests[0]!.headers.authorization, `Basic ${Buffer.from('me:pass:wörd').toString('base64')}`)
  const { err, code } = await finish(t, ['connect', 'ws://x', '--auth', 'me'])
  t.match({ err, code }, { code: 2, err: "--auth needs USER:PASSWORD, not 'me'" })
})

t.test('--cert and --key authenticate this client', async t => {
  const tls = { ...LOCALHOST, ca: AUTHORITY, requestCert: true, rejectUnauthorized: true }
  const { port } = await echo(t, 'ours', { tls })
  const folder = t.testdir({ ca: AUTHORITY, ...CLIENT, 'not-a-key': 'nothing' })
  const file = (name: string): string => join(folder, name)
  const args = ['connect', `wss://localhost:${port}/`, '--ca', file('ca')]
  t.match(await finish(t, args, { input: 'a\n' }), { code: 1 }, 'the server wants one')
  const identity = ['--cert', file('cert'), '--key', file('key')]
  t.match(await finish(t, [...args, ...identity, '--passphrase', 'not needed'], { input: 'a\n' }), {
    code: 0,
    out: 'a\n'
  })
  for (const given of [identity.slice(0, 2), identity.slice(2), ['--passphrase', 'x']]) {
    t.match(await finish(t, [...args, ...given]), { code: 2, err: '--cert and --key go together' })
  }
  const wrong = await finish(t, [...args, '--cert', file('cert'), '--key', file('not-a-key')])
  t.match(wrong, { code: 2, err: /cert and .*not-a-key are not a certificate and its key: / })
})

for (const [kind, place] of [
  ['a port', () => '127.0.0.1:0'],
  ['a unix socket', (folder: string) => join(folder, 'in')]
] as const) {
  t.test(`--listen on ${kind}: each connection gets its own WebSocket`, async t => {
    // the path of a unix socket has at most 107 bytes
    const folder = mkdtempSync(join(tmpdir(), 'listen-'))
    t.teardown(() => rmSync(folder, { recursive: true }))
    // the far end, on a unix socket, echoes until the end, and then says goodbye
    const far = createTcpServer({ allowHalfOpen: true }, socket => {
      socket.pipe(socket, { end: false })
      socket.on('end', () => socket.end(' and goodbye'))
    })
    const path = join(folder, 'far')
    await listen(t, far, { path })
    const { url } = await startServer(t, ['serve', '--port', '0', '--tcp', path])
    const { url: there, ...running } = await startServer(t, ['connect', '--listen', place(folder), url!])
    const where = there!.includes('/') ? { path: there! } : { host: '127.0.0.1', port: Number(there!.split(':')[1]) }
    const heard = await Promise.all(
      ['one', 'two'].map(async text => {
        const socket = dial({ ...where, allowHalfOpen: true }).setEncoding('utf8')
        socket.end(text)
        let all = ''
        for await (const chunk of socket) all += chunk
        return all
      })
    )
    t.strictSame(heard, ['one and goodbye', 'two and goodbye'])
    const left = dial(where)
    t.teardown(() => left.destroy())
    await once(left, 'connect')
    running.interrupt()
    t.equal(await running.code, 0)
  })
}

t.test(
  '--listen: if the server cannot be reached, the connection ends; if the command cannot listen, it ends',
  async t => {
    const { url: there, stderr } = await startServer(t, ['connect', '--listen', '127.0.0.1:0', 'ws://127.0.0.1:1/'])
    const socket = dial(Number(there!.split(':')[1]), '127.0.0.1')
    socket.on('error', () => {})
    if (!socket.closed) await once(socket, 'close')
    await stderr.saw(/ECONNREFUSED/)
    const taken = await finish(t, ['connect', '--listen', there!, 'ws://127.0.0.1:1/'])
    t.match(taken, { code: 1, err: new RegExp(`cannot listen on ${there}: .*EADDRINUSE`) })
  }
)

const hasIpv6 = Object.values(networkInterfaces()).some(found => found!.some(({ address }) => address === '::1'))
const skip = !hasIpv6 && 'this machine has no IPv6'

t.test('--listen: an address of IPv6 is in brackets', { skip }, async t => {
  const { url } = await startServer(t, ['connect', '--listen', '[::1]:0', 'ws://127.0.0.1:1/'])
  t.match(url, /^\[::1\]:\d+$/)
})

t.test('--reconnect: another connection follows one that ends too early, and continues with stdin', async t => {
  let connections = 0
  const server = createServer()
  server.on('upgrade', (request, socket, head) => {
    const ws = WebSocketStream.http(request, head).attach(socket)
    const isFirst = ++connections === 1
    ws.on('message', message => {
      ws.text(`${connections} ${message}`)
      if (isFirst) ws.text('and bye', () => (socket as Socket).resetAndDestroy())
    })
  })
  const url = `ws://127.0.0.1:${await listen(t, server)}/`
  const running = start(t, ['connect', url, '--reconnect', '--ping'], { input: null })
  running.stdin.write('one\n')
  await running.stderr.saw(/connecting again in/)
  running.stdin.write('two\n')
  await running.stdout.saw(/^2 two$/m)
  running.stdin.end('three\n')
  t.equal(await running.code, 0)
  t.match(running.stdout.text, /2 two\n2 three\n$/)
  t.equal(connections, 2)
})

t.test('--reconnect: --once counts over all connections, and closes', async t => {
  let connections = 0
  const server = createServer()
  server.on('upgrade', (request, socket, head) => {
    const ws = WebSocketStream.http(request, head).attach(socket)
    ws.text(`hello ${++connections}`)
    if (connections === 1) ws.close(1001)
    else ws.text('once more')
  })
  const url = `ws://127.0.0.1:${await listen(t, server)}/`
  const { code, out, err } = await finish(t, ['connect', url, '--reconnect', '--once', '2', '-U'], { input: null })
  t.strictSame({ code, out }, { code: 0, out: 'hello 1\nhello 2\n' })
  t.match(err, /1001.*connecting again in/)
})

t.test('--reconnect: a final refusal or an interrupt ends the command', async t => {
  const port = await serve(t, async (peer, socket) => {
    await peer.head()
    socket.end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n')
  })
  const refused = await finish(t, ['connect', `ws://127.0.0.1:${port}/`, '--reconnect'], { input: null })
  t.match(refused, { code: 1, err: /404/ })
  const wrong = await finish(t, ['connect', 'ws://x/', '--reconnect', '--protocol', 'a b'])
  t.match(wrong, { code: 2, err: /protocol/ })
  const waiting = start(t, ['connect', 'ws://127.0.0.1:1/', '--reconnect'], { input: null })
  await waiting.stderr.saw(/ECONNREFUSED.*; connecting again in/)
  waiting.interrupt()
  t.equal(await waiting.code, 1)
  const open = start(t, ['connect', await echoUrl(t), '--reconnect'], { input: null })
  open.stdin.write('a\n')
  await open.stdout.saw(/a\n/)
  open.interrupt()
  t.equal(await open.code, 0)
})

t.test('options that cannot be combined', async t => {
  const wrong = async (...args: string[]): Promise<string> => (await finish(t, ['connect', 'ws://x', ...args])).err
  t.match(await wrong('--null', '--stream'), '--stream, --message, --null and --length-prefixed exclude each other')
  for (const other of ['--stream', '--message', '--bytes', '--receive-only']) {
    t.match(
      await wrong('-x', 'a', other),
      '--execute cannot be combined with --stream, --message, --bytes or --receive-only'
    )
  }
  t.match(await wrong('-u', '-U'), '--send-only and --receive-only exclude each other')
  t.match(await wrong('--listen', '127.0.0.1:0', '-u'), '--bytes and --listen cannot be combined with')
  for (const other of [['--message'], ['--bytes'], ['--listen', './here']]) {
    t.match(await wrong('--reconnect', ...other), '--reconnect cannot be combined with --message, --bytes or --listen')
  }
  t.match(await wrong('--listen', 'here'), "--listen needs HOST:PORT, or the PATH of a unix socket, not 'here'")
})
