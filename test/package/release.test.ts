// The package meets npm's requirements: those checks of scripts/release-check.js that need neither network nor build.
// `npm run release:check` runs all of them.

import { spawnSync } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const SCRIPT = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'scripts', 'release-check.js')

t.test('the package is ready to be published', async t => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [SCRIPT, '--quick'], { encoding: 'utf8' })
  for (const line of stdout.split(/^(?=[✔✘])/mu)) t.match(line, /^✔/u, line.trimEnd())
  t.equal(status, 0, stderr)
})
