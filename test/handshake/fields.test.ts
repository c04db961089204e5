import t from 'tap'
import { checkField, checkToken, fieldLines } from '../../lib/handshake/fields.js'
import { growth, LINEAR } from './feed.js'

t.test('only tokens pass', async t => {
  checkToken('a-B.9_~', 'a subprotocol')
  for (const value of ['', 'a b', 'a,b', 'a\r\n', '\x00', '\xe9']) {
    t.throws(() => checkToken(value, 'a subprotocol'), { name: 'TypeError', message: /a subprotocol/ })
  }
})

t.test('A14: values that would end a field line are refused', async t => {
  checkField('X-A', 'b \xe9\tc')
  checkField('X-A', '')
  for (const value of ['a\r\nb', 'a\n', '\r', 'a\x00', '\x7f', ' a', 'a ', '\u0100', 1, null, undefined, ['a']]) {
    t.throws(() => checkField('X-A', value), { name: 'TypeError', message: /X-A/ })
  }
  for (const name of ['', 'a b', 'a:', 'a\r\n', '\xe9', 1, null, undefined]) {
    t.throws(() => checkField(name, 'a'), { name: 'TypeError', message: /header name/ })
  }
})

t.test('a field is a string, or an array with a string for each line', async t => {
  t.same(fieldLines('X-A', 'b'), [['X-A', 'b']])
  t.same(fieldLines('X-A', ['b', '']), [
    ['X-A', 'b'],
    ['X-A', '']
  ])
  t.same(fieldLines('X-A', []), [])
  t.same(fieldLines('1', 'b'), [['1', 'b']])
  const says = { name: 'TypeError', message: "header 'X-A' must be a string or an array of strings" }
  const sparse = new Array(1)
  for (const value of [
    new Set(['a']),
    new String('a'),
    1,
    1n,
    true,
    null,
    undefined,
    {},
    [1],
    [['a']],
    sparse,
    Symbol('a')
  ]) {
    t.throws(() => fieldLines('X-A', value), says)
  }
  for (const name of [new String('X-A'), 1, 1n, null, undefined, Symbol('a'), ['X-A']]) {
    t.throws(() => fieldLines(name, []), { name: 'TypeError', message: 'a header name must be a string' })
  }
})

t.test('fields that the handshake sets are refused, in upper or lower case', async t => {
  for (const name of ['Upgrade', 'CONNECTION', 'sec-websocket-key', 'Content-Length', 'Transfer-Encoding']) {
    t.throws(() => checkField(name, 'a'), { name: 'TypeError', message: /by the handshake itself/ })
  }
})

t.test('A05: a value of blanks is checked in linear time', async t => {
  const check = (size: number) => () => {
    try {
      checkField('A', `b${' '.repeat(size)}`)
    } catch {}
  }
  t.ok(growth(check) < LINEAR)
})
