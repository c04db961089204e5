// What npm test prints about a run, from the TAP output of tap.

import type { Transform } from 'node:stream'
import { text } from 'node:stream/consumers'
import t from 'tap'

const { default: Reporter } = (await import(new URL('../../scripts/test-reporter.js', import.meta.url).href)) as {
  default: new () => Transform
}

function report(tap: string): Promise<string> {
  const reporter = new Reporter()
  // split anywhere
  for (let at = 0; at < tap.length; at += 50) reporter.write(tap.slice(at, at + 50))
  reporter.end()
  return text(reporter)
}

const TAP = `TAP version 14
1..3
# Subtest: test/a.test.ts
    # Subtest: it counts
        # Subtest: to two
            not ok 1 - is two
              ---
              at:
                fileName: test/support/count.ts
                lineNumber: 7
              diff: |
                --- expected
                +++ actual
                -2
                +1
              ...
            1..1
        not ok 1 - to two # time=1ms
        1..1
    not ok 1 - it counts # time=1ms
    ok 2 - it talks # SKIP apt-get install parrot
    1..2
not ok 1 - test/a.test.ts # time=1234ms

# Subtest: test/b.test.ts
    ok 1 - fine
    1..1
ok 2 - test/b.test.ts # time=500ms

not ok 3 - test/c.test.ts
  ---
  exitCode: 7
  ...

# { total: 4, pass: 1, fail: 2, skip: 1 }
# time=2000ms
`

t.test('prints a line for each file, then what was skipped and what failed and where, and the totals', async t => {
  const lines = (await report(TAP)).split('\n')
  t.strictSame(lines.slice(0, 3), [
    '1/3 FAILED test/a.test.ts, 1.2 s',
    '2/3 ok     test/b.test.ts, 0.5 s',
    '3/3 FAILED test/c.test.ts'
  ])
  t.equal(lines[3], 'skipped (apt-get install parrot): test/a.test.ts › it talks')
  t.strictSame(
    lines.filter(line => line.startsWith('FAILED')),
    ['FAILED test/support/count.ts:7', 'FAILED test/c.test.ts'],
    'of tests within tests, the innermost'
  )
  t.ok(lines.includes('  it counts › to two › is two'))
  t.ok(lines.includes('    +1'))
  t.ok(lines.includes('    exit code 7'))
  // .ci/run reads this line
  t.strictSame(lines.slice(-3), ['# { total: 4, pass: 1, fail: 2, skip: 1 }', '# time=2000ms', ''])
})

t.test('prints nothing else about tests that pass', async t => {
  t.equal(
    await report('TAP version 14\nok 1 - test/b.test.ts\n1..1\n# { total: 1, pass: 1 }\n'),
    ['1/? ok     test/b.test.ts', '# { total: 1, pass: 1 }', ''].join('\n')
  )
})
