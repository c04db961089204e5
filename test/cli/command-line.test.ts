// The command line as a whole: the choice of the command, help, and the errors for unknown ones; and the program as a process.

import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { COMMANDS, run } from '../../lib/cli/command-line.js'
import { TOOL } from '../../lib/cli/terminal.js'
import { echo } from '../net/servers.js'
import { finish, makeIo } from './support.js'

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))

t.test('help goes to stdout if it is requested, otherwise to stderr', async t => {
  const asked = await finish(t, ['--help'])
  t.match(asked, { code: 0, err: '' })
  for (const { name, summary } of COMMANDS) t.match(asked.out.replace(/\s+/g, ' '), new RegExp(`${name} .*${summary}`))
  t.match(asked.out, 'Exit codes: 0')
  t.strictSame(await finish(t, ['-h']), asked)
  t.strictSame(await finish(t, []), { code: 2, out: '', err: asked.out })
})

for (const { name, options } of COMMANDS) {
  t.test(`${name} --help has all of its options`, async t => {
    const { code, out, err } = await finish(t, [name, '--help'])
    t.strictSame({ code, err }, { code: 0, err: '' })
    t.match(out, new RegExp(`^${TOOL} ${name} \\[OPTIONS\\]`))
    for (const option of Object.keys(options)) t.match(out, new RegExp(`^  (-., )?--${option}( |$)`, 'm'))
    t.ok(out.split('\n').every(line => line.length <= 100))
  })
}

t.test('the version is that of the package', async t => {
  t.strictSame(await finish(t, ['--version']), { code: 0, out: `${version}\n`, err: '' })
})

t.test('an unknown command', async t => {
  const wrong = async (...args: string[]): Promise<string> => {
    const { code, out, err } = await finish(t, args)
    t.strictSame({ code, out }, { code: 2, out: '' }, args.join(' '))
    return err
  }
  t.equal(await wrong('conect'), `${TOOL}: unknown command conect; did you mean connect?\n`)
  t.equal(await wrong('launder'), `${TOOL}: unknown command launder; ${TOOL} --help lists all commands\n`)
  t.equal(await wrong('ws://x'), `${TOOL}: did you mean ${TOOL} connect ws://x ?\n`)
  t.equal(await wrong('--verson'), `${TOOL}: unknown option --verson; did you mean --version?\n`)
  t.equal(await wrong('connect', '--bianry'), `${TOOL}: unknown option --bianry; did you mean --binary?\n`)
  t.equal(await wrong('connect'), `${TOOL}: connect needs URL\n`)
  t.equal(await wrong('connect', 'ws://x', 'y'), `${TOOL}: connect does not know what to do with 'y'\n`)
})

t.test('a bug in the program itself is not hidden', async t => {
  const { io } = makeIo()
  const broken = { ...io, stdout: Object.assign(io.stdout, { write: () => t.fail() && ([] as never) }) }
  broken.stdout.write = (): never => {
    throw new RangeError('a fault')
  }
  await t.rejects(run(['--help'], broken), { message: 'a fault' })
})

t.test('a server whose stderr goes away ends', async t => {
  const { io, stdout, stderr } = makeIo()
  const code = run(['serve', '--port', '0'], io)
  await stdout.saw(/ws:/)
  stderr.stream.destroy(Object.assign(new Error('gone'), { code: 'EPIPE' }))
  t.equal(await code, 0)
})

t.test('a server that is interrupted before it starts', async t => {
  const { io, interrupt } = makeIo()
  interrupt()
  t.equal(await run(['serve', '--port', '0'], io), 0)
})

// The program as a process

const MAIN = fileURLToPath(new URL('../../lib/cli/main.ts', import.meta.url))

interface Exit {
  code: number | null
  out: string
  err: string
}

function program(args: string[], stdin: 'pipe' | 'ignore' = 'ignore') {
  const child = spawn(process.execPath, [...process.execArgv, MAIN, ...args], { stdio: [stdin, 'pipe', 'pipe'] })
  let out = ''
  let err = ''
  child.stdout!.on('data', chunk => {
    out += chunk
  })
  child.stderr!.on('data', chunk => {
    err += chunk
  })
  const exit = new Promise<Exit>(resolve => child.on('close', code => resolve({ code, out, err })))
  return { child, exit }
}

t.test('the program pipes, and its exit code is the command’s', async t => {
  const { port } = await echo(t)
  const { child, exit } = program(['connect', `ws://127.0.0.1:${port}`], 'pipe')
  child.stdin!.end('one\ntwo\n')
  t.strictSame(await exit, { code: 0, out: 'one\ntwo\n', err: '' })
})

t.test('SIGINT ends the program with a closing handshake', async t => {
  const { child, exit } = program(['serve', '--port', '0'])
  child.stdout!.once('data', () => child.kill('SIGINT'))
  t.match(await exit, { code: 0, out: /^ws:\/\/127\.0\.0\.1:\d+\/\n$/ })
})

t.test('the program ends silently when its reader goes away', async t => {
  const { port } = await echo(t)
  const { child, exit } = program(['connect', `ws://127.0.0.1:${port}`], 'pipe')
  const timer = setInterval(() => child.stdin!.writable && child.stdin!.write('line\n'), 10)
  child.stdin!.on('error', () => {})
  child.stdout!.once('data', () => child.stdout!.destroy())
  t.match(await exit, { code: 0, err: '' })
  clearInterval(timer)
})
