// Arguments parsed by a table of options, the errors for wrong ones, and help.

import t from 'tap'
import { ExitCode, UsageError } from '../../lib/cli/io.js'
import {
  type Command,
  flag,
  helpFor,
  list,
  nearest,
  number,
  optionalNumber,
  pair,
  parse,
  text
} from '../../lib/cli/options.js'

const OPTIONS = {
  loud: flag('says more', 'l'),
  name: text('NAME', 'a name'),
  word: text('WORD', 'a word', word => word.toUpperCase(), 'NONE'),
  header: list('FIELD', 'a field'),
  port: number('PORT', 'a port', { most: 65535 }, 8080),
  wait: number('SECONDS', 'a time', { least: 0.5, fraction: true }),
  ping: optionalNumber('SECONDS', 'how often', 1, { fraction: true }),
  tls: pair('KEY', 'CERT', 'two files')
}
const NOTHING = {
  loud: false,
  name: undefined,
  word: 'NONE',
  header: [],
  port: 8080,
  wait: undefined,
  ping: undefined,
  tls: undefined
}

const values = (...args: string[]) => parse(OPTIONS, args).values
const fault = (...args: string[]): string => {
  try {
    parse(OPTIONS, args)
  } catch (error) {
    if (error instanceof UsageError) return error.message
    throw error
  }
  return ''
}

t.test('without arguments, each option has its default', async t => {
  t.strictSame(parse(OPTIONS, []), { values: NOTHING, operands: [] })
})

t.test('all kinds of options', async t => {
  const args = '--loud --name a --word=b --header c --header d=e --port 0 --wait 0.5 --ping 2.5 --tls k c'.split(' ')
  t.strictSame(values(...args), {
    loud: true,
    name: 'a',
    word: 'B',
    header: ['c', 'd=e'],
    port: 0,
    wait: 0.5,
    ping: 2.5,
    tls: ['k', 'c']
  })
})

t.test('the short name is the same option, and the last one given counts', async t => {
  t.match(values('-l', '--name', 'a', '--name', 'b'), { loud: true, name: 'b' })
})

t.test('operands may stand anywhere, and everything after -- is an operand', async t => {
  const { operands } = parse(OPTIONS, ['one', '--loud', 'two', '--', '--name', '-'])
  t.strictSame(operands, ['one', 'two', '--name', '-'])
})

t.test('an optional value is taken only if it matches the pattern', async t => {
  t.equal(values('--ping').ping, 1)
  t.equal(values('--ping', '--loud').ping, 1)
  t.equal(values('--ping=3').ping, 3)
  t.strictSame(parse(OPTIONS, ['--ping', 'ws://host']).operands, ['ws://host'])
  t.equal(values('--ping', 'ws://host').ping, 1)
})

t.test('a value may begin with a dash if it is given with =', async t => {
  t.equal(values('--name=-x').name, '-x')
  t.equal(values('--name', '-').name, '-')
  t.equal(fault('--name', '-x'), '--name needs NAME; one that begins with a dash: --name=-x')
})

t.test('a missing value', async t => {
  t.equal(fault('--name'), '--name needs NAME')
  t.equal(fault('--tls', 'a'), '--tls needs KEY and CERT')
  t.equal(fault('--tls', 'a', '--loud', 'b'), '--tls needs KEY and CERT')
  t.strictSame(values('--tls=a', 'b').tls, ['a', 'b'])
})

t.test('an unexpected value', async t => {
  t.equal(fault('--loud=yes'), '--loud takes no value')
})

t.test('values that are not numbers or out of range', async t => {
  t.equal(fault('--port', 'x'), "--port must be a whole number from 0 to 65535, not 'x'")
  t.equal(fault('--port', '65536'), "--port must be a whole number from 0 to 65535, not '65536'")
  t.equal(fault('--port', '1.5'), "--port must be a whole number from 0 to 65535, not '1.5'")
  t.equal(fault('--port', ''), "--port must be a whole number from 0 to 65535, not ''")
  t.equal(fault('--wait', '0.4'), "--wait must be a number of at least 0.5, not '0.4'")
})

t.test('an unknown option suggests the nearest one', async t => {
  t.equal(fault('--haeder', 'x'), 'unknown option --haeder; did you mean --header?')
  t.equal(fault('--lo'), 'unknown option --lo; did you mean --loud?')
  t.equal(fault('--completely-other'), 'unknown option --completely-other')
  t.equal(fault('-x'), 'unknown option -x')
  t.equal(fault('--__proto__'), 'unknown option --__proto__')
  t.equal(fault('--constructor'), 'unknown option --constructor')
})

t.test('the nearest name', async t => {
  const names = ['connect', 'serve', 'relay']
  t.equal(nearest('conect', names), 'connect')
  t.equal(nearest('server', names), 'serve')
  t.equal(nearest('rel', names), 'relay')
  t.equal(nearest('x', names), undefined)
  t.equal(nearest('nothing', []), undefined)
})

t.test('help lists every option, in lines that fit', async t => {
  const command: Command<typeof OPTIONS> = {
    name: 'try',
    summary: 'Tries.',
    operands: ['URL', '[MORE]'],
    options: { ...OPTIONS, 'a-name-that-is-rather-long': flag('with its meaning on the next line') } as typeof OPTIONS,
    about: ['A paragraph of many words, '.repeat(10).trim()],
    run: async () => ExitCode.Ok
  }
  const help = helpFor('tool', command)
  t.match(help, /^tool try \[OPTIONS\] URL \[MORE\]\n\nTries\.\n\nA paragraph/)
  t.match(help, '\n  -l, --loud              says more\n')
  t.match(help, '\n  --ping [SECONDS]        how often\n')
  t.match(help, '\n  --tls KEY CERT          two files\n')
  t.match(help, '\n  --header FIELD          a field; may be repeated\n')
  t.match(help, '\n  --a-name-that-is-rather-long\n                          with its meaning on the next line\n')
  t.ok(help.split('\n').every(line => line.length <= 100))
})
