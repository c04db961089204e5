// SECURITY.md lists each attack with its test; each test names its attack.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import t from 'tap'

const ROOT = new URL('../../', import.meta.url)
const COUNT = 34

const text = readFileSync(new URL('SECURITY.md', ROOT), 'utf8')
const rows = [...text.matchAll(/^\| (A\d\d) \|([^|]+)\|([^|]+)\| `(test\/security\/([^`]+)\.test\.ts)` \|$/gm)]

t.test('the table names every attack once, in order', async t => {
  const ids = Array.from({ length: COUNT }, (_, i) => `A${String(i + 1).padStart(2, '0')}`)
  t.same(
    rows.map(([, id]) => id),
    ids
  )
})

t.test('each has a defence, and a test of its own that names it', async t => {
  for (const [, id = '', attack = '', promise = '', path = '', name = ''] of rows) {
    t.ok(attack.trim() && promise.trim(), id)
    t.ok(name.startsWith(`${id.toLowerCase()}-`), name)
    t.ok(existsSync(new URL(path, ROOT)), path)
    t.match(readFileSync(new URL(path, ROOT), 'utf8'), new RegExp(`^// ${id}: `), `${path} begins with its attack`)
  }
})

t.test('each test of an attack is about one in the table', async t => {
  const files = readdirSync(new URL('test/security/', ROOT)).filter(file => /^a\d\d.*\.test\.ts$/.test(file))
  t.ok(files.length >= COUNT)
  for (const file of files) {
    t.ok(
      rows.some(([, id]) => file.startsWith(id!.toLowerCase())),
      file
    )
  }
})

t.test('links point to existing files', async t => {
  for (const [, path = ''] of text.matchAll(/\]\(([^)#]+)\)/g)) t.ok(existsSync(new URL(path, ROOT)), path)
})
