import t from 'tap'
import { History } from '../../lib/extensions/history.js'
import { ZlibEngine } from '../../lib/extensions/zlib-engine.js'
import { random } from '../support/frames.js'
import { deflate, json, noise } from './codecs.js'

/** Whether an engine that was given the history can refer to all of `window`. */
function restores(history: History, window: Buffer): boolean {
  const engine = new ZlibEngine({ does: 'inflate', windowBits: 15 })
  history.restore(engine)
  const input = Buffer.concat([deflate(window, window), Buffer.from([0, 0, 0xff, 0xff])])
  const output = Buffer.alloc(window.length + 1)
  engine.run(input, 0, input.length, output, 0, output.length)
  engine.close()
  return engine.produced === window.length && output.subarray(0, engine.produced).equals(window)
}

t.test('it holds the last bytes, however they were added', async t => {
  const next = random(3)
  for (const limit of [512, 4096, 32768]) {
    const all = noise(limit * 5)
    for (const most of [10, limit / 2, limit, limit * 2]) {
      const history = new History(limit)
      for (let at = 0, i = 0; at < all.length; i++) {
        const size = Math.min(Math.ceil(next() * most), all.length - at)
        history.add(all, at, size)
        at += size
        if (i % 97 === 0 && !restores(history, all.subarray(Math.max(0, at - limit), at))) t.fail(`${limit}, ${at}`)
        if (history.memory > limit) t.fail('too much memory')
      }
      t.ok(restores(history, all.subarray(-limit)), `a window of ${limit}, pieces of up to ${most}`)
    }
  }
})

t.test('exactly a window', async t => {
  const history = new History(512)
  const bytes = noise(1024)
  history.add(bytes, 0, 500)
  history.add(bytes, 500, 12)
  t.ok(restores(history, bytes.subarray(0, 512)))
  history.add(bytes, 512, 1)
  t.ok(restores(history, bytes.subarray(1, 513)))
  history.add(bytes, 513, 511)
  t.ok(restores(history, bytes.subarray(512)))
})

t.test('memory grows with the content', async t => {
  const history = new History(32768)
  t.equal(history.memory, 0)
  history.add(Buffer.from(json(700)), 0, 700)
  t.ok(history.memory < 1500)
  t.ok(restores(history, Buffer.from(json(700))))
  history.add(noise(100_000), 0, 100_000)
  t.equal(history.memory, 32768)
})

t.test('without a byte there is nothing to restore', async t => {
  const engine = new ZlibEngine({ does: 'inflate', windowBits: 9 })
  new History(512).restore(engine)
  t.equal(engine.produced, 0)
  engine.close()
})
