// Plays one scenario with the packages of the folder it is started in, and writes what the scenario logs.

import { createRequire } from 'node:module'
import { join } from 'node:path'

const [name] = process.argv.slice(2)
const { default: scenario } = await import(`./scenarios/${name}.js`)
const require = createRequire(join(process.cwd(), 'package.json'))

/** One line for each call; bytes as their length and, where they are few, in hex. */
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
