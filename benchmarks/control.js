// The child's end of a benchmark's control line: a JSON object in on stdin, one out on stdout, in order. Nothing but
// node:process is used, so the same file serves Node, Bun and Deno. A child whose parent is gone ends itself.

import process from 'node:process'

/** Microseconds of CPU this process has used: unlike the clock, no other process's work is in it. */
export function cpuTime() {
  const { user, system } = process.cpuUsage()
  return user + system
}

const common = {
  /** What the process has used so far: CPU in microseconds, memory in bytes. */
  usage() {
    const { rss, heapUsed, external } = process.memoryUsage()
    return { cpu: cpuTime(), rss, heapUsed, external }
  },

  /** As `usage`, after everything that can be collected has been: needs --expose-gc. */
  async settle() {
    for (let i = 0; i < 6; i++) {
      globalThis.gc()
      await new Promise(resolve => setTimeout(resolve, 50))
    }
    return common.usage()
  },

  quit() {
    setImmediate(() => process.exit(0))
    return {}
  }
}

/** Answers requests by the method that `request.do` names. */
export function control(methods) {
  let text = ''
  let queue = Promise.resolve()
  const answer = async request => {
    const method = methods[request.do] ?? common[request.do]
    let reply
    try {
      reply = { ok: await method(request) }
    } catch (error) {
      reply = { error: String(error?.stack ?? error) }
    }
    process.stdout.write(`${JSON.stringify(reply)}\n`)
  }
  process.stdin.setEncoding('utf8')
  process.stdin.on('data', chunk => {
    text += chunk
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
      const request = JSON.parse(text.slice(0, end))
      text = text.slice(end + 1)
      queue = queue.then(() => answer(request))
    }
  })
  process.stdin.on('end', () => process.exit(0))
}
