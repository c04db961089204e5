// Runs one scenario with the packages in the working directory, and writes its log to stdout.

import { createRequire } from 'node:module'
import { join } from 'node:path'

const [name] = process.argv.slice(2)
const { default: scenario } = await import(`./scenarios/${name}.js`)
const require = createRequire(join(process.cwd(), 'package.json'))

/** Writes one line for each call; at most 32 bytes in hex, more only as their length. */
const log = (...values) => process.stdout.write(`${JSON.stringify(values, asText)}\n`)

function asText(key, value) {
  const original = this[key]
  if (original instanceof Uint8Array) {
    const bytes = Buffer.from(original.buffer, original.byteOffset, original.byteLength)
    return bytes.length > 32 ? `${bytes.length} bytes` : `bytes ${bytes.toString('hex')}`
  }
  if (typeof value === 'string' && value.length > 200) return `${value.length} characters`
  return value
}

await scenario.run({ log, require })
const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage()
process.stderr.write(
  `\n#usage ${JSON.stringify({ cpu: (userCPUTime + systemCPUTime) / 1e6, memory: maxRSS / 1024 })}\n`
)
// a program may leave timers behind
process.exit(0)
