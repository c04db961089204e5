import t from 'tap'
import { hasToken, listTokens, readExtensionList } from '../../lib/handshake/header-lists.js'
import { growth, LINEAR } from './feed.js'

t.test('a list of tokens is split at commas', async t => {
  t.same(listTokens('a'), ['a'])
  t.same(listTokens('a,b'), ['a', 'b'])
  t.same(listTokens(' \ta\t ,\t b '), ['a', 'b'])
  t.same(listTokens('A, a'), ['A', 'a'], 'case is kept')
  t.same(listTokens(''), [], 'nothing')
  t.same(listTokens(', ,a,, ,b,'), ['a', 'b'], 'empty items (RFC 9110 §5.6.1.2)')
  t.same(listTokens('__proto__, constructor'), ['__proto__', 'constructor'], 'A06')
})

t.test('a list with an item that is not a token is malformed', async t => {
  for (const value of ['a b', 'a/b', '"a"', 'a;b', 'a\xa0', 'a,\x0bb', 'a, \xe9', 'a\x00', '(a)']) {
    t.equal(listTokens(value), null, JSON.stringify(value))
  }
})

t.test('a token is found in a list, ignoring case', async t => {
  for (const value of [
    'upgrade',
    'UPGRADE',
    'keep-alive, Upgrade',
    'Upgrade,close',
    ' \tupgrade\t',
    ',upgrade,',
    'a/1, upgrade'
  ]) {
    t.equal(hasToken(value, 'upgrade'), true, value)
  }
  t.equal(hasToken('websocket', 'WebSocket'), true, 'nor to that of the token')
})

t.test('a part of an item does not count as the token', async t => {
  for (const value of [
    '',
    'upgrad',
    'upgrades',
    'no-upgrade',
    'upgrade/1',
    'up grade',
    'upgrade;q=1',
    '"upgrade"',
    'keep-alive'
  ]) {
    t.equal(hasToken(value, 'upgrade'), false, value)
  }
})

const WELL_FORMED: Record<string, string> = {
  a: 'a',
  'a,b': 'a, b',
  'permessage-deflate; client_max_window_bits': 'permessage-deflate; client_max_window_bits',
  'a;b=1;c="2" , d': 'a; b=1; c=2, d',
  'a\t;\tb = "c"\t': 'a; b=c',
  'a;b="\\c\\d"': 'a; b=cd',
  ', a,, b ,': 'a, b',
  'constructor;hasOwnProperty=toString': 'constructor; hasOwnProperty=toString',
  '': '',
  ' \t': '',
  ' , ,': ''
}

t.test('a well-formed list of extensions passes, and is normalized', async t => {
  for (const [value, plain] of Object.entries(WELL_FORMED)) {
    const items = readExtensionList(value)!
    t.equal(items.map(item => item.text).join(', '), plain)
    t.equal(
      items.some(item => item.poisoned),
      false
    )
  }
})

t.test('A06: the name __proto__ is marked', async t => {
  for (const value of ['__proto__', 'a;__proto__', 'a;__proto__=1']) {
    t.match(readExtensionList(value), [{ text: value.replace(';', '; '), poisoned: true }], value)
  }
})

t.test('a malformed list of extensions is refused', async t => {
  const values = ['a b', 'a;', 'a;;b', ';a', 'a;b=', 'a;b=,c', 'a=b', 'a;b=c d', 'a;b="', 'a;b=""']
  values.push(
    'a;b="c',
    'a;b="c d"',
    'a;b="\\"',
    'a;b="\\\\"',
    'a;b="\\',
    'a;b="c"d',
    'a;b=" c"',
    'a;=c',
    'a;"b"',
    '"a"'
  )
  values.push('a/b', 'a\x00', '\xe9', 'a;b="\xe9"', 'a\nb', 'a, \xa0b')
  for (const value of values) t.equal(readExtensionList(value), null, JSON.stringify(value))
})

t.test('a list of extensions over the maximum length is refused', async t => {
  t.not(readExtensionList('a'.repeat(4096)), null)
  t.equal(readExtensionList('a'.repeat(4097)), null)
})

t.test('A05: a list takes time linear in its length', async t => {
  const fill = {
    spaces: ' ',
    commas: ',',
    backslashes: '\\',
    quotes: '"',
    'spaces and commas': ' ,',
    letters: 'a',
    'letters and spaces': 'a ',
    parameters: ';a'
  }
  for (const [what, piece] of Object.entries(fill)) {
    const timed = (read: (text: string) => unknown, start: string) => (size: number) => {
      const text = `${start}${piece.repeat(size / piece.length)}\x00`
      return () => read(text)
    }
    for (const start of ['', 'a;b="', 'a']) {
      t.ok(growth(timed(listTokens, start)) < LINEAR, `listTokens, ${start}${what}`)
      t.ok(growth(timed(text => hasToken(text, 'upgrade'), start)) < LINEAR, `hasToken, ${start}${what}`)
      t.ok(growth(timed(readExtensionList, start)) < LINEAR, `readExtensionList, ${start}${what}`)
    }
  }
})
