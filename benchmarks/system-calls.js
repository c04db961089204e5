// What a process spends in write(2) and read(2), as shares of its CPU: by `perf`, where Linux has it and lets us. The profile of V8 cannot
// tell, since it sees a read only as native code, and a write as the call that led to it.

import { execFile, execFileSync } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)
// some kernels have no frame of their own for the call, only for what it calls
const CALLS = {
  write: /\b(\w*sys_(writev?|sendmsg)|do_writev|vfs_writev?)\b/,
  read: /\b(\w*sys_(readv?|recvmsg)|do_readv|vfs_readv?)\b/
}

/** Whether `perf` is here, and may look at other processes. */
export function canSeeSystemCalls() {
  try {
    execFileSync('perf', ['stat', '-e', 'cpu-clock', 'true'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** Watches a process for so long: `{ write, read }`. `file` is for perf's own use. */
export async function watchSystemCalls(pid, ms, file) {
  const events = ['-e', 'cpu-clock', '-F', '999', '-g']
  await run('perf', ['record', '-o', file, ...events, '-p', String(pid), '--', 'sleep', String(ms / 1000)])
  const { stdout } = await run('perf', ['script', '-i', file, '-F', 'ip,sym'], { maxBuffer: 2 ** 28 })
  // a stack to a paragraph
  const stacks = stdout.split('\n\n').filter(stack => stack.trim())
  const share = pattern => stacks.filter(stack => pattern.test(stack)).length / stacks.length
  return { write: share(CALLS.write), read: share(CALLS.read) }
}
