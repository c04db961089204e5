// docs/errors.md has every code that this library reports, and no other.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const read = (path: string): string => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8')

t.test('every error code is explained, and no other', async t => {
  const table = new Set(
    read('lib/errors.ts')
      .match(/^ {2}WS_ERR_\w+/gm)!
      .map(code => code.trim())
  )
  const explained = new Set(
    read('docs/errors.md')
      .split('\n')
      .filter(line => line.startsWith('| `WS_ERR_'))
      .flatMap(line => line.split('|')[1]!.match(/WS_ERR_\w+/g)!)
  )
  t.ok(table.size > 40)
  t.same([...explained].sort(), [...table].sort())
})
