// Prints before `npm test` how long it takes, and which of the programs that tests use are missing.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

const packages = readFileSync(new URL('../.ci/peers', import.meta.url), 'utf8')
  .split('\n')
  .filter(line => line !== '' && !line.startsWith('#'))

console.log(
  'Lint, types, build and all tests with coverage: about 10 minutes on two cores. npm run test:quick takes one.'
)
console.log(peers())

function peers() {
  const missing = packages.filter(name => !isInstalled(name))
  if (missing.length === 0) return 'All programs that tests use are installed.'
  const known = missing.length < packages.length
  const what = known ? 'Not installed' : 'Not installed, or not by dpkg'
  return `${what}, so tests that need them are skipped: ${missing.join(', ')}\nTo install them: apt-get install ${missing.join(' ')}`
}

function isInstalled(name) {
  try {
    return /^ii /m.test(
      execFileSync('dpkg-query', ['--list', name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    )
  } catch {
    return false
  }
}
