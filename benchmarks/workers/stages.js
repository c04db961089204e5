// A chain of stages by themselves: FrameDecoder, a number of stages more, MessageAssembler. Wire bytes go in at the
// front by `write`, batches of messages come out at the back by 'data'.

import { PassThrough } from 'node:stream'
import { control, cpuTime } from '../control.js'
import subject from '../subject.js'
import { chunked, frames, payloads } from '../wire.js'

const { FrameDecoder, ExtensionTransform, MessageAssembler } = subject
const [contestant] = process.argv.slice(2)
const SIZE = 125

/** What stands between decoder and assembler. A PassThrough is a stream like anybody's: no link goes past it. */
const between = {
  'none more': () => [],
  'one more, linked': () => [new ExtensionTransform()],
  'four more, linked': () => Array.from({ length: 4 }, () => new ExtensionTransform()),
  'one more, ordinary': () => [new PassThrough({ objectMode: true })],
  'four more, ordinary': () => Array.from({ length: 4 }, () => new PassThrough({ objectMode: true }))
}[contestant]

function chain(onBatch) {
  const first = new FrameDecoder({ role: 'server' })
  const last = [...between(), new MessageAssembler()].reduce((from, to) => from.pipe(to), first)
  last.on('data', onBatch)
  return first
}

let first
let pristine
let chunks
let expected
let seen = 0
let bytes = 0
let held = []

control({
  /** `framesPerChunk` 0: as many as 64 KiB hold, cut anywhere. */
  prepare({ framesPerChunk }) {
    first = chain(batch => {
      seen += batch.length
      for (const message of batch) bytes += message.length
    })
    const list = payloads('binary', SIZE, 1000)
    expected = framesPerChunk ? 4000 : 32_000
    const all = Array.from({ length: expected }, (_, i) => list[i % list.length])
    const wire = frames(all, 2, true)
    pristine = chunked(wire, framesPerChunk ? (wire.length / expected) * framesPerChunk : 65536)
    chunks = pristine.map(chunk => Buffer.allocUnsafeSlow(chunk.length))
  },

  async sample({ ms }) {
    let taken = 0
    let messages = 0
    while (taken < ms * 1e3) {
      pristine.forEach((chunk, i) => {
        chunk.copy(chunks[i])
      })
      seen = bytes = 0
      const start = cpuTime()
      await new Promise(resolve => {
        let i = 0
        const step = () => {
          if (i === chunks.length) return resolve()
          if (first.write(chunks[i++])) next()
          else first.once('drain', next)
        }
        const next = () => (i % 16 ? process.nextTick(step) : setImmediate(step))
        step()
      })
      for (let turns = 0; seen < expected && turns < 1000; turns++) await new Promise(setImmediate)
      taken += cpuTime() - start
      if (seen !== expected || bytes !== expected * SIZE) throw new Error(`${contestant}: ${seen} of ${expected}`)
      messages += expected
    }
    return (taken * 1e3) / messages
  },

  /** Heap a chain, of many that have nothing to do. */
  async heap({ count }) {
    const ignore = () => {}
    held = [chain(ignore)]
    const settle = async () => {
      for (let i = 0; i < 4; i++) {
        globalThis.gc()
        await new Promise(setImmediate)
      }
      return process.memoryUsage().heapUsed
    }
    held.length = count + 1
    const before = await settle()
    for (let i = 0; i < count; i++) held[i + 1] = chain(ignore)
    return ((await settle()) - before) / count
  }
})
