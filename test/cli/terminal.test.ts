// The format of the output on a terminal.

import { PassThrough } from 'node:stream'
import t from 'tap'
import {
  bar,
  count,
  describeClose,
  describeError,
  describeFrame,
  formatNumber,
  formatTime,
  Notes,
  ProgressLine,
  painter,
  preview,
  printable,
  table
} from '../../lib/cli/terminal.js'
import { Frame, HandshakeError, Opcode, WebSocketError } from '../../lib/index.js'
import { makeIo } from './support.js'

const plain = (_: string, text: string): string => text
const output = (isTTY: boolean): PassThrough & { isTTY: boolean } => Object.assign(new PassThrough(), { isTTY })

t.test('colours are used on a terminal if its user wants them', async t => {
  t.equal(painter(output(true), {})('red', 'x'), '\x1b[31mx\x1b[39m')
  t.equal(painter(output(true), { NO_COLOR: '' })('bold', 'x'), '\x1b[1mx\x1b[22m')
  t.equal(painter(output(true), { NO_COLOR: '1' })('red', 'x'), 'x')
  t.equal(painter(output(true), { TERM: 'dumb' })('red', 'x'), 'x')
  t.equal(painter(output(false), {})('red', 'x'), 'x')
})

t.test('characters that would control a terminal are escaped', async t => {
  t.equal(printable('a\tb\nc\x1b[2J\r\x07\x9b\u202e ünïcode'), 'a\tb\nc\\x1b[2J\\x0d\\x07\\x9b\\u202e ünïcode')
})

t.test('a preview is one line of limited length', async t => {
  t.equal(preview('one\n\ttwo', 20), 'one\\n\\ttwo')
  t.equal(preview('x'.repeat(21), 20), `${'x'.repeat(19)}…`)
  t.equal(preview('x'.repeat(20), 20), 'x'.repeat(20))
})

t.test('numbers have the useful decimals', async t => {
  t.strictSame([0, 5, 1234567, 0.123, 9.876, 12.34, 123.4].map(formatNumber), [
    '0',
    '5',
    '1,234,567',
    '0.12',
    '9.88',
    '12.3',
    '123'
  ])
  t.equal(formatTime(1.234), '1.23 ms')
  t.strictSame(
    [count(1, 'byte'), count(2000, 'byte'), count(0, 'reply', 'replies')],
    ['1 byte', '2,000 bytes', '0 replies']
  )
})

t.test('a frame is printed as a line: direction, opcode, size, and its readable part', async t => {
  const line = (frame: Frame): string => describeFrame(frame, '→', plain)
  const close = (code: number, reason: string): Buffer =>
    Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(reason)])
  t.equal(line(new Frame(Opcode.Text, 'hello')), '→ text         5 bytes        hello')
  t.equal(line(new Frame(Opcode.Text, Buffer.from('a\n'), false)), '→ text         2 bytes        more to come a\\n')
  t.equal(line(new Frame(Opcode.Text, 'xyz', true, 4)), '→ text         3 bytes        rsv 4')
  t.equal(line(new Frame(Opcode.Binary, Buffer.alloc(1))), '→ binary       1 byte')
  t.equal(line(new Frame(Opcode.Continuation, '')), '→ continuation 0 bytes')
  t.equal(line(new Frame(Opcode.Ping, 'abc')), '→ ping         3 bytes')
  t.equal(line(new Frame(Opcode.Pong, 'abc')), '→ pong         3 bytes')
  t.equal(line(new Frame(Opcode.Close, '')), '→ close        0 bytes')
  t.equal(line(new Frame(Opcode.Close, close(1001, 'bye'))), "→ close        5 bytes        1001 (going away) 'bye'")
  t.equal(line(new Frame(Opcode.Text, 'part').asPart(0, 70_000)), '→ text         70,000 bytes')
  t.equal(line(new Frame(Opcode.Text, 'x'.repeat(5000))), '→ text         5,000 bytes')
  t.match(describeFrame(new Frame(Opcode.Close, ''), '←', painter(output(true), {})), '← \x1b[31mclose       \x1b[39m')
})

t.test('printing a frame does not change it', async t => {
  const frame = new Frame(Opcode.Text, 'text')
  describeFrame(frame, '→', plain)
  t.equal(frame.data, 'text')
})

t.test('how a connection was closed', async t => {
  t.equal(describeClose({ code: 1000, reason: '' }), '1000 (normal)')
  t.equal(describeClose({ code: 1008, reason: 'no\x1b' }), "1008 (policy violation) 'no\\x1b'")
  t.equal(describeClose({ code: 4000, reason: '' }), '4000')
})

t.test('the reason for a failed connection is shown', async t => {
  const lost = (cause?: unknown): string => describeError(new HandshakeError('WS_ERR_CONNECTION_LOST', { cause }))
  t.equal(lost(new Error('connect ECONNREFUSED')), 'cannot connect: connect ECONNREFUSED')
  t.equal(lost(new AggregateError([new Error('one'), new Error('two'), new Error('two')])), 'cannot connect: one: two')
  t.equal(lost(), 'cannot connect')
  t.equal(
    describeError(new WebSocketError('WS_ERR_CONNECTION_LOST')),
    'the connection ended without a closing handshake'
  )
  t.equal(describeError(new HandshakeError('WS_ERR_BAD_RESPONSE', { status: 101 })), 'invalid handshake response')
})

t.test('a refusal is printed with its status and body', async t => {
  const refusal = (code: 'WS_ERR_UNEXPECTED_STATUS' | 'WS_ERR_PROXY', status: number, body = ''): string =>
    describeError(new HandshakeError(code, { status, body: Buffer.from(body) }))
  t.equal(refusal('WS_ERR_UNEXPECTED_STATUS', 403, 'not you\x1b\n'), 'the server answered 403 Forbidden\nnot you\\x1b')
  t.equal(refusal('WS_ERR_UNEXPECTED_STATUS', 299), 'the server answered 299')
  t.equal(refusal('WS_ERR_PROXY', 407), 'the proxy answered 407 Proxy Authentication Required')
  t.match(refusal('WS_ERR_UNEXPECTED_STATUS', 500, 'x'.repeat(2500)), /x{2000}\n… and 500 bytes more$/)
  t.equal(refusal('WS_ERR_PROXY', 0), 'unexpected proxy response')
})

t.test('notes go to stderr, or above the line being typed', async t => {
  const { io, stderr, stdout } = makeIo({ tty: { stderr: true } })
  const notes = new Notes(io)
  notes.say('one')
  notes.warn('two')
  notes.fail('three')
  const above: string[] = []
  notes.above = line => above.push(line)
  notes.say('four')
  await stderr.saw(/three/)
  t.equal(stderr.text, 'one\n\x1b[33mwebsocket-duplex\x1b[39m: two\n\x1b[31mwebsocket-duplex\x1b[39m: three\n')
  t.equal(stdout.text, '')
  t.strictSame(above, ['four'])
})

t.test('the length of a bar is its part of the width', async t => {
  t.strictSame(
    [bar(0, 4), bar(0.5, 4), bar(0.6, 4), bar(1, 4), bar(2, 4), bar(-1, 4)],
    ['', '██', '██▍', '████', '████', '']
  )
})

t.test('the columns of a table are aligned', async t => {
  t.strictSame(
    table([
      ['a', 'bb'],
      ['ccc', 'd']
    ]),
    ['a    bb', 'ccc   d']
  )
  t.strictSame(table([]), [])
})

t.test('progress is one line of a terminal, cleared at the end', async t => {
  const { io, stderr } = makeIo({ tty: { stderr: true } })
  const progress = new ProgressLine(io.stderr)
  progress.clear()
  progress.show(0.5, 'half')
  io.stderr.columns = 10
  progress.show(1, 'all')
  progress.clear()
  await stderr.saw(/K$/)
  t.equal(stderr.text, `\r\x1b[K${'█'.repeat(12)}${'·'.repeat(12)} half\r\x1b[K${'█'.repeat(9)}\r\x1b[K`)
})

t.test('nothing is printed without a terminal', async t => {
  const { io, stderr } = makeIo()
  const progress = new ProgressLine(io.stderr)
  progress.show(0.5, 'half')
  progress.clear()
  t.equal(stderr.text, '')
})
