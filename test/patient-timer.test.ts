// A fair timer: before it fires, data that has arrived is read, and time in which this process was blocked does not count.

import t from 'tap'
import { PatientTimer } from '../lib/patient-timer.js'
import { Clock } from './support/clock.js'

const nextPoll = (): Promise<void> => new Promise(setImmediate)

function bench(t: ConstructorParameters<typeof Clock>[0]) {
  const clock = new Clock(t)
  const timer = new PatientTimer()
  const ran: number[] = []
  return { clock, timer, ran, run: () => void ran.push(clock.now) }
}

t.test('on time it runs once, one poll phase later', async t => {
  const { clock, timer, ran, run } = bench(t)
  timer.start(100, run)
  await clock.pass(99)
  t.same(ran, [])
  clock.stall(1)
  t.same(ran, [], 'what has arrived is read first')
  await nextPoll()
  t.same(ran, [1100])
  await clock.pass(1000)
  t.same(ran, [1100])
  t.same(clock.waiting, [])
})

t.test('a timer that is a few milliseconds late runs', async t => {
  const { clock, timer, ran, run } = bench(t)
  timer.start(100, run)
  clock.stall(149)
  await nextPoll()
  t.same(ran, [1149])
})

t.test('after a blocked event loop, it adds the lost time once', async t => {
  const { clock, timer, ran, run } = bench(t)
  timer.start(1000, run)
  clock.stall(1400)
  await nextPoll()
  t.same([ran, clock.waiting], [[], [400]])
  await clock.pass(399)
  t.same(ran, [])
  clock.stall(2000)
  await nextPoll()
  t.same(ran, [1000 + 1400 + 399 + 2000], 'blocked again, it runs')
})

t.test('it adds no more than its own delay', async t => {
  const { clock, timer, ran, run } = bench(t)
  timer.start(100, run)
  clock.stall(60_000)
  await nextPoll()
  t.same(clock.waiting, [100])
  await clock.pass(100)
  t.same(ran, [1000 + 60_000 + 100])
})

t.test('reading in the poll phase may stop or restart it', async t => {
  const { clock, timer, ran, run } = bench(t)
  timer.start(100, run)
  clock.stall(100)
  timer.stop()
  await nextPoll()
  t.same(ran, [])

  timer.start(100, run)
  clock.stall(100)
  timer.start(50, run)
  await nextPoll()
  t.same(ran, [], 'the first one is void')
  await clock.pass(50)
  t.equal(ran.length, 1)

  timer.start(100, run)
  clock.stall(100)
  timer.stop()
  await nextPoll()
  t.equal(ran.length, 1)
})

t.test('started again it runs once; stopped it does not run, and may be stopped twice', async t => {
  const { clock, timer, ran, run } = bench(t)
  timer.start(100, run)
  await clock.pass(60)
  timer.start(100, run)
  await clock.pass(60)
  t.same(ran, [])
  await clock.pass(40)
  t.equal(ran.length, 1)
  timer.start(100, run)
  timer.stop()
  timer.stop()
  t.same(clock.waiting, [])
})

t.test('Infinity never fires', async t => {
  const { clock, timer, run } = bench(t)
  timer.start(Number.POSITIVE_INFINITY, run)
  t.same(clock.waiting, [])
  timer.start(100, run)
  timer.start(Number.POSITIVE_INFINITY, run)
  t.same(clock.waiting, [], 'and stops the one before')
})

t.test('it keeps the process alive unless told not to, also when it waits again', async t => {
  const { clock, timer, run } = bench(t)
  timer.start(100, run)
  t.equal(clock.keepsAlive, true)
  timer.start(100, run, false)
  t.equal(clock.keepsAlive, false)
  clock.stall(300)
  await nextPoll()
  t.same([clock.waiting, clock.keepsAlive], [[100], false])
})

t.test('it works with timers without unref()', async t => {
  const { setTimeout } = globalThis
  let fire = (): void => {}
  t.teardown(() => Object.assign(globalThis, { setTimeout }))
  Object.assign(globalThis, {
    setTimeout: (run: () => void) => {
      fire = run
      return 7
    }
  })
  let ran = 0
  new PatientTimer().start(1, () => ran++, false)
  fire()
  await nextPoll()
  t.equal(ran, 1)
})
