// `connect` between pipes: how stdin becomes messages, how messages are written, and how it ends.

import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import t from 'tap'
import { run } from '../../lib/cli/command-line.js'
import { put } from '../../lib/cli/io.js'
import { type WebSocketOptions, WebSocketStream } from '../../lib/index.js'
import { echo, listen, proxy, serve } from '../net/servers.js'
import { LOCALHOST } from '../support/certificates.js'
import { Inbox } from '../support/inbox.js'
import { answerHead, CLOSE, closeBody, readClose, TEXT } from '../support/raw-peer.js'
import { finish, makeIo, start, type TestLike } from './support.js'

/** A server of this library that calls `meet` with each connection. */
async function meeting(
  t: TestLike,
  meet: (ws: WebSocketStream) => unknown,
  options?: WebSocketOptions
): Promise<string> {
  const server: Server = createServer()
  server.on('upgrade', (request, socket, head) => {
    const ws = WebSocketStream.http(request, head, options)
    ws.attach(socket)
    meet(ws)
  })
  return `ws://127.0.0.1:${await listen(t, server)}/`
}

async function echoUrl(t: TestLike): Promise<string> {
  const { port } = await echo(t)
  return `ws://127.0.0.1:${port}/`
}

const CLOSED = 'websocket-duplex: closed:'

t.test('each line is sent as a message, each message printed as a line', async t => {
  const got: unknown[] = []
  const url = await meeting(t, ws => {
    ws.on('message', message => {
      got.push(message)
      ws.text(`got ${message}`)
    })
  })
  const { code, out, err } = await finish(t, ['connect', url], { input: 'one\n\ntwo\r\nthrée' })
  t.strictSame(got, ['one', '', 'two', 'thrée'])
  t.strictSame({ code, out, err }, { code: 0, out: 'got one\ngot \ngot two\ngot thrée\n', err: '' })
})

t.test('binary messages are hexadecimal lines, or bytes with --binary', async t => {
  const url = await meeting(t, ws => ws.on('message', message => ws.binary(Buffer.from(message as never))))
  t.equal((await finish(t, ['connect', url], { input: 'az\n' })).out, '617a\n')
  t.equal((await finish(t, ['connect', url, '--binary'], { input: 'az\n' })).out, 'az\n')
})

t.test('--binary sends lines as binary messages', async t => {
  const url = await meeting(t, ws => ws.on('message', message => ws.text(String(Buffer.isBuffer(message)))))
  t.equal((await finish(t, ['connect', url, '--binary'], { input: 'az' })).out, 'true\n')
})

t.test('--stream sends and prints bytes, whatever the borders of messages', async t => {
  const got: Buffer[] = []
  const url = await meeting(t, ws => {
    ws.on('message', message => {
      got.push(message as Buffer)
      ws.binary(message as Buffer)
      ws.text('+')
    })
  })
  const input = Buffer.from([0, 10, 255])
  const { out, code } = await finish(t, ['connect', '--stream', url], { input })
  t.strictSame(got, [input])
  t.strictSame({ out, code }, { out: `${input}+`, code: 0 })
})

t.test('--message sends all of stdin as one message', async t => {
  const got: unknown[] = []
  const url = await meeting(t, ws => ws.on('message', message => got.push(message)))
  await finish(t, ['connect', '--message', url], { input: 'one\ntwo\n' })
  await finish(t, ['connect', '--message', '--binary', url], { input: Buffer.alloc(200_000, 7) })
  await finish(t, ['connect', '--message', url])
  t.strictSame(got, ['one\ntwo\n', Buffer.alloc(200_000, 7), ''])
})

t.test('--message --binary returns a file unchanged', async t => {
  const url = await echoUrl(t)
  t.equal((await finish(t, ['connect', '--message', '--binary', url], { input: 'ab' })).out, 'ab')
  t.equal((await finish(t, ['connect', '--message', '--binary', url], { input: 'ab\n' })).out, 'ab\n')
  t.equal((await finish(t, ['connect', '--message', url], { input: 'ab' })).out, 'ab\n')
})

t.test('a server that closes before stdin was sent makes it a failure', async t => {
  const large = await meeting(t, ws => ws.on('message', () => {}), { maxMessageSize: 100 })
  const told = `${CLOSED} 1009 (message too big) 'a message is larger than maxMessageSize: `
  const big = { input: Buffer.alloc(30_000_000) }
  t.match(await finish(t, ['connect', large, '--message', '--binary'], big), {
    code: 1,
    out: /^$/,
    err: /^websocket-duplex: closed: 1009 .* stdin was not all sent\n$/
  })
  const small = { input: Buffer.alloc(200) }
  const untaken = `${told}at least 200 bytes, where the limit is 100'; the server may not have taken all of stdin\n`
  t.match(await finish(t, ['connect', large, '--message', '--binary'], small), { code: 1, err: untaken })
  t.match(await finish(t, ['connect', large, '-x', 'y'.repeat(200)]), { code: 1, err: untaken })
  t.match(await finish(t, ['connect', large, '--stream'], big), { code: 1, err: told })
})

t.test('a server that closes before --bytes has sent stdin makes it a failure', async t => {
  const url = await meeting(t, ws => {
    ws.bytes.once('data', () => ws.close()).on('error', () => {})
  })
  t.match(await finish(t, ['connect', url, '--bytes'], { input: Buffer.alloc(30_000_000) }), {
    code: 1,
    out: /^$/,
    err: `${CLOSED} 1000 (normal); stdin was not all sent\n`
  })
})

t.test('a server that closes before --once is met makes it a failure', async t => {
  const url = await meeting(t, ws => {
    ws.text('one')
    ws.close(1008, 'no')
  })
  const err = (came: string) => `${CLOSED} 1008 (policy violation) 'no'; ${came} messages came\n`
  const wanted = { code: 1, out: 'one\n', err: err('1 of 2') }
  t.strictSame(await finish(t, ['connect', url, '-x', 'hi', '--once', '2']), wanted)
  t.strictSame(await finish(t, ['connect', url, '--wait', '--once', '2']), wanted)
  t.match(await finish(t, ['connect', url, '-x', 'hi', '--once']), { code: 0, out: 'one\n' })
})

t.test('a server that closes is no failure if there was nothing left to do', async t => {
  const url = await meeting(t, ws => ws.close(4000))
  t.match(await finish(t, ['connect', url, '--wait'], { input: '' }), { code: 0, err: 'closed: 4000\n' })
  t.match(await finish(t, ['connect', url, '-U'], { input: null }), { code: 0, err: 'closed: 4000\n' })
  const normal = await meeting(t, ws => ws.close())
  t.match(await finish(t, ['connect', normal], { input: null }), { code: 0, err: /^$/ }, 'stdin is at rest')
  t.match(await finish(t, ['connect', normal, '--close', '4001'], { input: '' }), { code: 0, err: /^$/ })
})

t.test('a stdin that ends just after the server has closed had nothing more to send', async t => {
  const gone = new Inbox<null>()
  const url = await meeting(t, ws => ws.once('close', () => gone.put(null)).close())
  const running = start(t, ['connect', url], { input: null })
  await gone.take()
  running.stdin.end()
  t.equal(await running.code, 0)
})

t.test('--message with bytes that are not text fails', async t => {
  const url = await echoUrl(t)
  const { code, err } = await finish(t, ['connect', '--message', url], { input: Buffer.from([0xff]) })
  t.strictSame({ code, err }, { code: 1, err: 'websocket-duplex: text is not valid UTF-8\n' })
})

t.test('--message with text that becomes invalid ends with 1007', async t => {
  const told = new Inbox<unknown>()
  const url = await meeting(t, ws => {
    ws.streams.on('data', message => told.put(message.kind))
    ws.on('close', info => told.put(info))
  })
  const running = start(t, ['connect', '--message', url], { input: null })
  running.stdin.write('a good beginning')
  t.equal(await told.take(), 'text')
  running.stdin.end(Buffer.from([0xff]))
  t.equal(await running.code, 1)
  t.match(await told.take(), { code: 1007 })
})

t.test('options of the request reach the server', async t => {
  const { port, requests } = await echo(t, 'ours', { stream: { protocols: ['b'] } })
  const args = ['--header', 'X-One: 1', '--header', 'x-two:2', '--protocol', 'a', '--protocol', 'b']
  const more = ['--origin', 'https://page.example', '--compress']
  await finish(t, ['connect', `ws://127.0.0.1:${port}/path`, ...args, ...more])
  t.match(requests[0]!.headers, {
    'x-one': '1',
    'x-two': '2',
    'sec-websocket-protocol': 'a, b',
    origin: 'https://page.example',
    'sec-websocket-extensions': /permessage-deflate/
  })
})

t.test('the TLS certificate is verified, unless --insecure is given', async t => {
  const { port } = await echo(t, 'ours', { tls: LOCALHOST })
  const url = `wss://localhost:${port}/`
  const ca = new URL('../support/certificates/ca.pem', import.meta.url).pathname
  const input = 'hello\n'
  t.match(await finish(t, ['connect', url, '--ca', ca, '--http2'], { input }), { code: 0, out: input, err: '' })
  t.match(await finish(t, ['connect', url], { input }), { code: 1, out: '', err: /cannot connect: .*certificate/ })
  const insecure = await finish(t, ['connect', url, '--insecure'], { input })
  t.match(insecure, { code: 0, out: input, err: 'websocket-duplex: the certificate is not verified' })
})

t.test('--proxy connects through a proxy', async t => {
  const { port } = await echo(t)
  const { port: proxyPort, requests } = await proxy(t)
  const args = ['connect', `ws://127.0.0.1:${port}/`, '--proxy', `http://127.0.0.1:${proxyPort}`]
  t.match(await finish(t, args, { input: 'through' }), { code: 0, out: 'through\n' })
  t.equal(requests.length, 1)
})

t.test('a refusal is quoted', async t => {
  const url = await meeting(t, ws => ws.reject(401, { body: 'who are you?' }))
  t.strictSame(await finish(t, ['connect', url]), {
    code: 1,
    out: '',
    err: 'websocket-duplex: the server answered 401 Unauthorized\nwho are you?\n'
  })
})

t.test('a server that does not answer in time', async t => {
  const port = await serve(t, () => {})
  const { code, err } = await finish(t, ['connect', `ws://127.0.0.1:${port}`, '--timeout', '0.1'])
  t.strictSame({ code, err }, { code: 1, err: 'websocket-duplex: the handshake was not finished in time\n' })
})

t.test('the exit code tells whether the connection was closed cleanly', async t => {
  const closing = await meeting(t, ws => ws.close(1011, 'oh no'))
  t.match(await finish(t, ['connect', closing], { input: null }), {
    code: 1,
    err: "websocket-duplex: closed: 1011 (internal error) 'oh no'; stdin was not all sent\n"
  })
  const dropping = await meeting(t, ws => ws.on('open', () => setImmediate(() => ws.destroy())))
  t.match(await finish(t, ['connect', dropping], { input: null }), {
    code: 1,
    err: 'websocket-duplex: the connection ended without a closing handshake\n'
  })
})

t.test('--close sets the code and the reason', async t => {
  const closes = new Inbox<unknown>()
  const url = await meeting(t, ws => ws.once('close', info => closes.put(info)))
  await finish(t, ['connect', url, '--close', '4001:that is: all'])
  t.match(await closes.take(), { code: 4001, reason: 'that is: all' })
  await finish(t, ['connect', url, '--close', '3000'])
  t.match(await closes.take(), { code: 3000, reason: '' })
  for (const wrong of ['1005', '999', '1004', '2000', '5000', 'x', '10000', `1000:${'é'.repeat(62)}`]) {
    t.equal((await finish(t, ['connect', url, '--close', wrong])).code, 2, wrong)
  }
})

t.test('the end of stdin closes the connection; with --wait the server does', async t => {
  const url = await meeting(t, ws => {
    // an answer arrives, since the client does not close right after its message
    const answer = (): void => {
      ws.text('late')
      ws.close()
    }
    ws.on('message', () => void ws.ping().then(answer, () => {}))
  })
  t.match(await finish(t, ['connect', url], { input: 'x' }), { code: 0, out: /^$/, err: /^$/ })
  t.match(await finish(t, ['connect', url, '--wait'], { input: 'x' }), { code: 0, out: 'late\n', err: /^$/ })
})

t.test('--once closes after that many messages, and prints no more', async t => {
  const url = await meeting(t, ws => {
    ws.on('open', () => {
      for (let i = 0; i < 5; i++) ws.text(`${i}`)
    })
  })
  t.match(await finish(t, ['connect', url, '--once']), { code: 0, out: '0\n' })
  t.match(await finish(t, ['connect', url, '--once', '3'], { input: null }), { code: 0, out: '0\n1\n2\n' })
})

t.test('--timeout limits the wait for a message', async t => {
  const url = await meeting(t, ws => ws.on('open', () => setTimeout(() => ws.text('one'), 30)))
  t.match(await finish(t, ['connect', url, '--once', '2', '--timeout', '0.3']), {
    code: 1,
    out: 'one\n',
    err: 'websocket-duplex: nothing has come for 0.3 seconds\n'
  })
  t.match(await finish(t, ['connect', url, '--once', '--timeout', '5']), { code: 0, out: 'one\n' })
})

t.test('a server that does not answer the Close is not waited for longer than --timeout', async t => {
  const port = await serve(t, async peer => {
    peer.write(answerHead(await peer.head()))
    await peer.nextFrame()
  })
  const { code, err } = await finish(t, ['connect', `ws://127.0.0.1:${port}`, '--timeout', '0.2'])
  t.strictSame({ code, err }, { code: 1, err: 'websocket-duplex: the connection was given up\n' })
})

t.test('a server that answers the Close but does not end the connection is not waited for either', async t => {
  const port = await serve(t, async peer => {
    peer.write(answerHead(await peer.head()), peer.frame(TEXT, 'bye'), peer.frame(CLOSE, closeBody(1000, '')))
    await peer.nextFrame()
  })
  const args = ['connect', `ws://127.0.0.1:${port}`, '--timeout', '0.2']
  t.match(await finish(t, args, { input: null }), { code: 0, out: 'bye\n' })
})

t.test('--show prints every frame', async t => {
  const { code, err } = await finish(t, ['connect', await echoUrl(t), '--show'], { input: 'hello' })
  t.equal(code, 0)
  t.strictSame(err.trim().split('\n'), [
    '→ text         5 bytes        hello',
    '→ close        2 bytes        1000 (normal)',
    '← text         5 bytes        hello',
    '← close        2 bytes        1000 (normal)'
  ])
})

t.test('--show uses colours on a terminal, and ignores other connections', async t => {
  const url = await echoUrl(t)
  const quiet = start(t, ['connect', url], { input: null })
  const { err } = await finish(t, ['connect', url, '--show'], { input: 'hello', tty: { stderr: true } })
  quiet.stdin.end('x')
  await quiet.code
  t.match(err, '→ \x1b[32mtext        \x1b[39m 5 bytes        \x1b[2mhello\x1b[22m\n')
  t.notMatch(err, ' x\n')
})

t.test('--ping prints the round trip time on stderr', async t => {
  const running = start(t, ['connect', await echoUrl(t), '--ping', '0.02'], { input: null })
  await running.stderr.saw(/(pong after [\d.]+ ms\n){3}/)
  running.stdin.end()
  t.equal(await running.code, 0)
  t.equal(running.stdout.text, '')
})

t.test('an interrupt closes the connection cleanly', async t => {
  const told = new Inbox<unknown>()
  const url = await meeting(t, ws => ws.on('message', it => told.put(it)).on('close', info => told.put(info)))
  const running = start(t, ['connect', url, '--close', '4000'], { input: null })
  running.stdin.write('a line\nand half a line')
  t.equal(await told.take(), 'a line')
  running.interrupt()
  t.equal(await running.code, 0)
  t.match(await told.take(), { code: 4000, wasClean: true })
})

t.test('an interrupt before the connection is open', async t => {
  const asked = new Inbox<unknown>()
  const port = await serve(t, async peer => asked.put(await peer.head()))
  const running = start(t, ['connect', `ws://127.0.0.1:${port}`])
  await asked.take()
  running.interrupt()
  t.equal(await running.code, 1)
  t.equal(running.stderr.text, 'websocket-duplex: the connection was given up\n')
  const { io, interrupt, stderr } = makeIo()
  interrupt()
  t.equal(await run(['connect', `ws://127.0.0.1:${port}`], io), 1)
  t.equal(stderr.text, 'websocket-duplex: the connection was given up\n')
})

t.test('an error of stdin is a failure', async t => {
  const running = start(t, ['connect', await echoUrl(t)], { input: null })
  running.stdin.destroy(new Error('it is a folder'))
  t.equal(await running.code, 1)
  t.equal(running.stderr.text, 'websocket-duplex: it is a folder\n')
})

t.test('a reader that goes away ends the program silently', async t => {
  const url = await meeting(t, ws => {
    ws.on('open', () => {
      for (let i = 0; i < 100; i++) ws.text(`line ${i}`)
    })
  })
  const running = start(t, ['connect', url], { input: null })
  await running.stdout.saw(/line 5/)
  running.stdout.stream.destroy(Object.assign(new Error('gone'), { code: 'EPIPE' }))
  t.equal(await running.code, 0)
  t.equal(running.stderr.text, '')
})

t.test('a full disk is a failure', async t => {
  const running = start(t, ['connect', await echoUrl(t)], { input: null })
  running.stdin.write('x\n')
  await running.stdout.saw(/x/)
  running.stdout.stream.destroy(Object.assign(new Error('no space left'), { code: 'ENOSPC' }))
  t.equal(await running.code, 1)
  t.equal(running.stderr.text, 'websocket-duplex: cannot write: no space left\n')
})

t.test('control characters in text are escaped on a terminal; bytes are unchanged', async t => {
  const url = await meeting(t, ws => ws.on('open', () => ws.text('\x1b[2Jx')))
  const tty = { stdout: true }
  t.equal((await finish(t, ['connect', url, '--once'], { tty })).out, '\\x1b[2Jx\n')
  t.equal((await finish(t, ['connect', url, '--once', '--stream'], { tty })).out, '\x1b[2Jx')
})

t.test('a slow reader gets everything in the end, and slows down the server', { timeout: 60_000 }, async t => {
  const chunk = Buffer.alloc(65536, 'slow')
  let sent = 0
  const url = await meeting(t, async ws => {
    await ws.opened
    for (; sent < 800; sent++) await put(ws.messages, chunk)
    ws.close()
  })
  const running = start(t, ['connect', '--stream', '--timeout', '0.2', url], { input: null })
  await running.stdout.saw(/s/)
  running.stdout.stream.pause()
  let before = -1
  while (before !== sent) {
    before = sent
    await new Promise(resolve => setTimeout(resolve, 300))
  }
  t.ok(sent < 800, `the server is told to wait after ${sent} of 800`)
  running.stdout.stream.resume()
  t.equal(await running.code, 0)
  t.equal(running.stdout.bytes.length, 800 * chunk.length)
})

t.test('a server that reads slowly slows down stdin', { timeout: 60_000 }, async t => {
  const met: WebSocketStream[] = []
  const url = await meeting(t, ws => met.push(ws))
  const running = start(t, ['connect', '--stream', url], { input: null })
  const chunk = Buffer.alloc(65536)
  let sent = 0
  const feed = async (): Promise<void> => {
    for (; sent < 400; sent++) if (!running.stdin.write(chunk)) await once(running.stdin, 'drain')
    running.stdin.end()
  }
  const fed = feed()
  let before = -1
  while (before !== sent) {
    before = sent
    await new Promise(resolve => setTimeout(resolve, 300))
  }
  t.ok(sent < 400, `stdin is told to wait after ${sent} of 400`)
  let size = 0
  met[0]!.on('message', message => {
    size += message.length
  })
  await fed
  t.equal(await running.code, 0)
  t.equal(size, 400 * chunk.length)
})

t.test('when the server leaves, sending ends', async t => {
  for (const unit of ['--stream', '--message']) {
    const url = await meeting(t, ws => ws.on('open', () => setTimeout(() => ws.close(1001), 50)))
    const running = start(
      t,
      ['connect', unit, '--binary', url].filter(arg => unit === '--message' || arg !== '--binary'),
      {
        input: null
      }
    )
    const timer = setInterval(() => running.stdin.writable && running.stdin.write(Buffer.alloc(100_000)), 5)
    const code = await running.code
    clearInterval(timer)
    t.match(
      { code, err: running.stderr.text },
      { code: 1, err: `${CLOSED} 1001 (going away); stdin was not all sent\n` },
      unit
    )
  }
})

t.test('options that cannot be combined, or an invalid URL, are wrong usage', async t => {
  const wrong = async (...args: string[]): Promise<string> => {
    const { code, out, err } = await finish(t, ['connect', ...args])
    t.strictSame({ code, out }, { code: 2, out: '' }, args.join(' '))
    return err.replace('websocket-duplex: ', '').trim()
  }
  t.equal(await wrong('ws://x', '--stream', '--binary'), '--stream cannot be combined with --binary')
  t.equal(
    await wrong('ws://x', '--stream', '--message'),
    '--stream, --message, --null and --length-prefixed exclude each other'
  )
  t.equal(await wrong('x:80/chat'), "'x:80/chat' has no scheme; did you mean ws://x:80/chat ?")
  t.equal(await wrong('ftp://x'), 'the scheme of a URL must be ws, wss, http, https or ws+unix, not ftp')
  t.match(await wrong('ws://'), 'not a URL')
  t.match(await wrong('ws+unix://x'), 'a ws+unix URL must not have a host')
  t.match(await wrong('ws://x', '--header', 'no colon'), "--header needs 'NAME: VALUE'")
  t.match(await wrong('ws://x', '--header', 'Upgrade: x'), 'written by the handshake itself')
  t.match(await wrong('ws://x', '--proxy', 'ws://x'), 'the scheme of a proxy')
  const none = new URL('../support/certificates/make.sh', import.meta.url).pathname
  t.match(await wrong('ws://x', '--ca', none), `there is no certificate in ${none}`)
  t.match(await wrong('ws://x', '--ca', '/not/there'), 'cannot read /not/there: ENOENT')
})

t.test('reads the Close of the peer although nothing is sent', async t => {
  const codes: unknown[] = []
  const port = await serve(t, async peer => {
    peer.write(answerHead(await peer.head()), peer.frame(CLOSE, closeBody(1001, 'later')))
    codes.push(readClose(await peer.nextFrame()))
    peer.end()
  })
  const { code, err } = await finish(t, ['connect', `ws://127.0.0.1:${port}`], { input: null })
  t.strictSame({ code, err }, { code: 0, err: "closed: 1001 (going away) 'later'\n" })
  t.strictSame(codes, [{ code: 1001, reason: 'later' }])
})
