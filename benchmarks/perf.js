// A process in, what its CPU goes into out: stacks of all its threads, of kernel, C++ and JavaScript, sampled by Linux's `perf`. What the
// stacks mean is parts.js's.

import { execFile, execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

// V8 writes the names of functions to /tmp, where perf looks for them, whatever TMPDIR says
const NAMES = '/tmp'

/** The flags for a process whose JavaScript `perf` shall see. */
export const FLAGS = ['--perf-basic-prof', '--no-logfile-per-isolate', `--logfile=${join(tmpdir(), 'perf-%p.log')}`]

/** Whether `perf` is here, and may look at other processes and into the kernel. */
export function hasPerf() {
  try {
    execFileSync('perf', ['stat', '-e', 'cpu-clock:k', 'true'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** Samples a process for so long, once for each millisecond of CPU: `[{ isMain, frames }]`, the innermost frame first. */
export async function sampleStacks(pid, ms) {
  const file = join(tmpdir(), `stacks-of-${pid}.data`)
  const events = ['-e', 'cpu-clock', '-F', '999', '-g']
  await run('perf', ['record', '-o', file, ...events, '-p', String(pid), '--', 'sleep', String(ms / 1000)])
  const { stdout } = await run('perf', ['script', '-i', file, '-F', 'comm,tid,ip,sym'], { maxBuffer: 2 ** 29 })
  rmSync(file)
  // each sample is a paragraph: the name and the number of the thread, and a line for each frame
  return stdout
    .split('\n\n')
    .filter(text => text.trim())
    .map(text => {
      const [thread, ...lines] = text.trim().split('\n')
      const frames = lines.map(line => line.trim().replace(/^[0-9a-f]+ /, ''))
      return { isMain: Number(/(\d+)\s*$/.exec(thread)[1]) === pid, frames }
    })
}

/** Removes what such a process leaves behind: the names of its functions, where perf looks for them, and a log. */
export function forget(pid) {
  rmSync(join(NAMES, `perf-${pid}.map`), { force: true })
  rmSync(join(tmpdir(), `perf-${pid}.log`), { force: true })
}
