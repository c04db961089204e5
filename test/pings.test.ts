// How Pings of the peer are answered while the wire is full, and which timers that takes, with a clock that the test advances.

import t from 'tap'
import { Pings } from '../lib/pings.js'
import { Opcode } from '../lib/protocol/opcode.js'
import { Clock } from './support/clock.js'

const PAYLOAD = Buffer.from('x')

function bench(t: ConstructorParameters<typeof Clock>[0]) {
  const clock = new Clock(t)
  const sent: number[] = []
  const owner = {
    isBlocked: false,
    resumed: 0,
    told: 0,
    // while the wire is full, each answer replaces the one before
    sendControl(opcode: Opcode, _payload: Buffer, isAnswer = false) {
      sent.push(opcode)
      return !isAnswer || !owner.isBlocked
    },
    sendInOrder() {},
    holdsInput: () => false,
    resumeInput: () => void owner.resumed++,
    notify: () => void owner.told++,
    peerIsSilent() {}
  }
  const pings = new Pings(owner, true)
  const receive = (): boolean => pings.receivePing(PAYLOAD, true)
  return { clock, sent, owner, pings, receive }
}

t.test('while Pongs leave, no Ping pauses the input', async t => {
  const { clock, owner, receive } = bench(t)
  for (let i = 0; i < 3000; i++) if (!receive()) t.fail(`Ping ${i} paused it`)
  t.equal(owner.told, 3000)
  t.same(clock.waiting, [])
})

t.test(
  'a Pong that replaces another pauses the input for 100 ms; then 1024 Pings are read before the next pause',
  async t => {
    const { clock, owner, receive } = bench(t)
    owner.isBlocked = true
    t.notOk(receive())
    t.equal(owner.told, 1, 'the application gets it nevertheless')
    await clock.pass(99)
    t.equal(owner.resumed, 0)
    await clock.pass(1)
    t.equal(owner.resumed, 1)
    for (let i = 0; i < 1024; i++) if (!receive()) t.fail(`Ping ${i} paused it`)
    t.notOk(receive())
    await clock.pass(100)
    t.equal(owner.resumed, 2)
  }
)

t.test('a wire that takes bytes again resumes the input at once', async t => {
  const { clock, owner, pings, receive } = bench(t)
  owner.isBlocked = true
  receive()
  pings.drained()
  t.equal(owner.resumed, 1)
  t.same(clock.waiting, [])
  pings.drained()
  t.equal(owner.resumed, 1, 'only if it was paused')
})

t.test(
  'when the wire has been free in between, the first Pong that replaces another pauses the input again',
  async t => {
    const { clock, owner, pings, receive } = bench(t)
    owner.isBlocked = true
    receive()
    await clock.pass(100)
    t.ok(receive(), 'one of the 1024')
    pings.drained()
    t.notOk(receive())
  }
)

t.test('the end of the connection stops the timer', async t => {
  const { clock, owner, pings, receive } = bench(t)
  owner.isBlocked = true
  receive()
  t.same(clock.waiting, [100])
  pings.over()
  t.same(clock.waiting, [])
})

t.test('keepalive sends no Ping behind data that the wire has not taken', async t => {
  const { clock, sent, owner, pings } = bench(t)
  pings.opened({ interval: 1000, timeout: 5000 })
  owner.isBlocked = true
  await clock.pass(1000)
  t.same(sent, [])
  pings.heard()
  owner.isBlocked = false
  await clock.pass(2000)
  t.same(sent, [Opcode.Ping])
  pings.over()
  t.same(clock.waiting, [])
})
