// Projects that have installed this package compile, and the mistakes in them are errors (scripts/test-types.js lists the projects).
// `npm run test:types` does the same with the types of all supported versions of Node.

import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const SCRIPT = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'scripts', 'test-types.js')

t.test('consumers compile against the built declarations', async t => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [SCRIPT, '--here'], { encoding: 'utf8' })
  const projects = stdout.split(/^(?=[✔✘])/mu)
  for (const project of projects) t.match(project, /^✔/u, project.trimEnd())
  t.equal(projects.length, 2)
  t.equal(status, 0, stderr)
})
