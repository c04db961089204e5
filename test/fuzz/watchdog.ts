// Ends inputs that do not end themselves. It runs in its own thread, since such an input blocks the main thread: it prints
// how to repeat that input, and ends the process.

import { Worker } from 'node:worker_threads'

/** Bytes of an input that are kept for the message. */
const ROOM = 16384
const COUNT = 0
const LENGTH = 1
const CODE = `
const { workerData: { memory, patience }, parentPort } = require('node:worker_threads')
const fs = require('node:fs')
const numbers = new Int32Array(memory, 0, 2)
let name = '', last = -1, since = Date.now()
parentPort.on('message', target => { name = target; since = Date.now() })
setInterval(() => {
  const count = Atomics.load(numbers, ${COUNT})
  if (name === '' || count !== last) { last = count; since = Date.now(); return }
  if (Date.now() - since < patience) return
  const input = Buffer.from(memory, 8, Atomics.load(numbers, ${LENGTH})).toString('hex')
  fs.writeSync(2, name + ': an input does not end within ' + patience + ' ms\\n' +
    'npm run fuzz -- --target ' + name + ' --replay ' + input + '\\n')
  process.kill(process.pid, 'SIGKILL')
}, 250)
`

export class Watchdog {
  private readonly memory = new SharedArrayBuffer(8 + ROOM)
  private readonly numbers = new Int32Array(this.memory, 0, 2)
  private readonly bytes = Buffer.from(this.memory, 8, ROOM)
  private readonly worker: Worker

  /** @param patience - milliseconds that one input may take */
  constructor(patience: number) {
    this.worker = new Worker(CODE, { eval: true, execArgv: [], workerData: { memory: this.memory, patience } })
    this.worker.unref()
  }

  begin(target: string): void {
    this.worker.postMessage(target)
  }

  end(): void {
    this.worker.postMessage('')
  }

  /** The next input is about to run. */
  look(input: Buffer): void {
    this.bytes.set(input.subarray(0, ROOM))
    this.numbers[LENGTH] = Math.min(input.length, ROOM)
    Atomics.add(this.numbers, COUNT, 1)
  }
}
