// The main program of a peer for Node, Bun and Deno: arguments in, lines of JSON out.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import process from 'node:process'

// packages that are not dependencies of this project are in another folder
const folder = process.env.INTEROP_PACKAGES
export const require = createRequire(folder === undefined ? import.meta.url : join(folder, 'any.js'))

/** The version of an installed package, whatever it exports. */
export function versionOf(name) {
  const found = require.resolve.paths(name).flatMap(path => {
    try {
      return [JSON.parse(readFileSync(join(path, name, 'package.json'), 'utf8')).version]
    } catch {
      return []
    }
  })
  return found[0]
}

export function tell(line) {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

/**
 * Runs as the arguments say.
 * @param {string} version - of the implementation
 * @param {object} roles - `serve()` resolves with its port; `connect(url)` resolves when that connection is over
 */
export async function run(version, { serve, connect }) {
  // a peer ends with the process that started it
  process.stdin.on('end', () => process.exit()).resume()
  const [role, ...urls] = process.argv.slice(2)
  if (role === 'serve') {
    tell({ version, port: await serve() })
    return
  }
  tell({ version })
  for (const url of urls) await connect(url)
  process.exit()
}
