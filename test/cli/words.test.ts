// Splits a command into words, without a shell.

import t from 'tap'
import { splitWords } from '../../lib/cli/words.js'

const CASES: [string, string[]][] = [
  ['cat', ['cat']],
  ['  cat\t-u  ', ['cat', '-u']],
  [`say 'two words' "and two"`, ['say', 'two words', 'and two']],
  [`a"b c"'d e'f`, ['ab cd ef']],
  [String.raw`a\ b \"c\'`, ['a b', `"c'`]],
  [String.raw`"a\"b\\c\d" 'e\f'`, [String.raw`a"b\c\d`, String.raw`e\f`]],
  [`'' ""`, ['', '']],
  ['echo $HOME; rm *', ['echo', '$HOME;', 'rm', '*']]
]

for (const [text, words] of CASES) {
  t.test(text, async t => {
    t.strictSame(splitWords(text), words)
  })
}

for (const text of [`'a`, `a "b`, 'a\\', `a'b' "`]) {
  t.test(`${text} is not closed`, async t => {
    t.throws(() => splitWords(text), { message: /^a quote is not closed, or a backslash is the last character/ })
  })
}

t.test('a command must have a word', async t => {
  t.throws(() => splitWords('  '), { message: '--command needs a command' })
})
