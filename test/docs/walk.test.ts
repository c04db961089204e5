// The walk of one received and one sent message in CONTRIBUTING.md matches a stack trace: each file once, in one direction.
// UPDATE=1 rewrites it.

import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { WebSocketStream } from '../../lib/index.js'
import { pair } from '../support/pair.js'

const GUIDE = fileURLToPath(new URL('../../CONTRIBUTING.md', import.meta.url))
/** Functions that every stage or emitter shares are not steps of the walk. */
const SHARED = new Set(['stages/stage.ts', 'emitting.ts'])

interface Step {
  readonly file: string
  readonly names: string[]
}

/** The frames of lib in a stack trace, by file, the outermost first. */
function walk(stack: string): Step[] {
  const steps: Step[] = []
  for (const line of stack.split('\n').reverse()) {
    const [, name, file] = /at (?:(\S+) )?\(?[^()]*\/lib\/([\w/-]+\.ts):/.exec(line) ?? []
    if (file === undefined || SHARED.has(file)) continue
    if (steps.at(-1)?.file !== file) steps.push({ file, names: [] })
    // a stack trace names a listener after its receiver
    steps.at(-1)!.names.push(name!.replace(/^PairEnd\./, ''))
  }
  return steps
}

const shown = (steps: readonly Step[]): string =>
  steps.map(({ file, names }) => `${file.padEnd(30)} ${names.join(', ')}\n`).join('')

/** The stacks when a text arrives, and when one is sent. */
async function stacks(): Promise<{ received: string; sent: string }> {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 100
  try {
    const [near, far] = pair()
    const [client, server] = [WebSocketStream.client('ws://a/').attach(near), WebSocketStream.server().attach(far)]
    await Promise.all([client.opened, server.opened])
    let sent = ''
    const write = near.write.bind(near) as (...args: unknown[]) => boolean
    near.write = (...args: unknown[]) => {
      sent ||= new Error('sent').stack!
      return write(...args)
    }
    const received = new Promise<string>(resolve => server.once('message', () => resolve(new Error('received').stack!)))
    client.text('long '.repeat(20_000))
    const stack = await received
    client.destroy()
    server.destroy()
    return { received: stack, sent }
  } finally {
    Error.stackTraceLimit = limit
  }
}

t.test('the walk of a message in CONTRIBUTING.md matches a stack trace', async t => {
  let guide = readFileSync(GUIDE, 'utf8')
  for (const [way, stack] of Object.entries(await stacks())) {
    const steps = walk(stack)
    t.ok(steps.length > 4, shown(steps))
    const files = steps.map(({ file }) => file)
    t.same(files, [...new Set(files)], 'each file is passed once')
    const place = new RegExp(`(<!-- walk: ${way} -->\\n\`\`\`text\\n)([^\`]*)(\`\`\`)`)
    const [, before, written, after] = place.exec(guide) ?? []
    if (process.env['UPDATE']) guide = guide.replace(place, () => before + shown(steps) + after)
    else t.equal(written, shown(steps), way)
  }
  if (process.env['UPDATE']) writeFileSync(GUIDE, guide)
})
