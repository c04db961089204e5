// Messages on their way to their consumer: a view, listeners, or none yet.

import t from 'tap'
import { Delivery, type MessageConsumer, type MessageListeners } from '../../lib/inbound/delivery.js'
import type { InputQueueOwner } from '../../lib/inbound/input-queue.js'
import type { Message } from '../../lib/index.js'

class Owner implements InputQueueOwner, MessageListeners<Message> {
  heard: Message[] = []
  listens = false
  delivered = 0
  onMessage: (() => void) | null = null
  get isHeard(): boolean {
    return this.listens
  }
  announce(message: Message): boolean {
    if (!this.listens) return false
    this.heard.push(message)
    this.onMessage?.()
    return true
  }
  inputDelivered(): void {
    this.delivered++
  }
}

class Taker implements MessageConsumer<Message> {
  got: Message[] = []
  ended: Error | null | undefined = undefined
  room = 1
  isRead = true
  deliver(message: Message): boolean {
    this.got.push(message)
    return --this.room > 0
  }
  endMessages(error: Error | null): void {
    this.ended = error
  }
}

function make() {
  const owner = new Owner()
  const delivery = new Delivery(owner, owner, 0)
  let asked = 0
  delivery.prev = {
    next: null,
    proceed() {
      asked++
    }
  }
  return { owner, delivery, taker: new Taker(), asked: () => asked }
}

t.test('without a consumer messages wait, and no more are requested', async t => {
  const { delivery, owner, taker, asked } = make()
  t.equal(delivery.receive(['a', 'b']), false)
  t.equal(delivery.isBlocked, true)
  owner.listens = true
  delivery.proceed()
  t.same(owner.heard, ['a', 'b'])
  t.equal(asked(), 1)
  t.equal(delivery.isBlocked, false)
  delivery.proceed()
  t.equal(asked(), 1)
  void taker
})

t.test('a consumer gets one message after another, and then the end', async t => {
  const { delivery, taker, asked } = make()
  delivery.attach(taker)
  t.equal(delivery.receive(['a', 'b', 'c']), false)
  t.same(taker.got, ['a'])
  delivery.complete(null)
  t.equal(taker.ended, undefined)
  taker.room = 1
  delivery.proceed()
  t.same(taker.got, ['a', 'b'])
  taker.room = 5
  delivery.proceed()
  t.same(taker.got, ['a', 'b', 'c'])
  t.equal(taker.ended, null)
  t.equal(asked(), 1)
})

t.test('a consumer that wants no more gets nothing until it does, whatever arrives', async t => {
  const { owner, taker } = make()
  const delivery = new Delivery<Message>(null, owner, 1000)
  delivery.prev = { next: null, proceed() {} }
  taker.isRead = false
  delivery.attach(taker)
  for (const message of ['a', 'b', 'c']) t.equal(delivery.receive([message]), true)
  t.same(taker.got, ['a'])
  taker.room = 5
  delivery.proceed()
  t.same(taker.got, ['a', 'b', 'c'])
})

t.test('a consumer that is attached late gets the waiting messages, and then the end', async t => {
  const { delivery, taker } = make()
  const error = new Error('lost')
  delivery.receive(['a'])
  delivery.complete(error)
  delivery.complete(null)
  delivery.attach(taker)
  t.equal(taker.ended, undefined)
  delivery.proceed()
  t.same(taker.got, ['a'])
  t.equal(taker.ended, error, 'the first outcome counts')

  const other = make()
  other.delivery.complete(null)
  other.delivery.attach(other.taker)
  t.equal(other.taker.ended, null)
})

t.test('listeners and a consumer each get every message once', async t => {
  const { delivery, owner, taker } = make()
  owner.listens = true
  delivery.attach(taker)
  delivery.receive(['a', 'b'])
  taker.room = 5
  delivery.proceed()
  t.same(owner.heard, ['a', 'b'])
  t.same(taker.got, ['a', 'b'])
})

t.test('messages wait after the one that removes the last listener', async t => {
  const { delivery, owner, asked } = make()
  owner.listens = true
  owner.onMessage = () => {
    owner.listens = false
  }
  t.equal(delivery.receive(['a', 'b', 'c']), false)
  t.same(owner.heard, ['a'])
  t.equal(delivery.isBlocked, true)
  owner.listens = true
  delivery.proceed()
  t.same(owner.heard, ['a', 'b'])
  owner.listens = true
  delivery.proceed()
  t.same(owner.heard, ['a', 'b', 'c'])
  t.equal(asked(), 1)
})

t.test('messages that arrive while one is delivered are queued', async t => {
  const { delivery, owner } = make()
  owner.listens = true
  owner.onMessage = () => {
    owner.onMessage = null
    t.equal(delivery.receive(['c']), true)
  }
  t.equal(delivery.receive(['a', 'b']), true)
  t.same(owner.heard, ['a', 'b', 'c'])
})

t.test('discard drops waiting and further messages', async t => {
  const { delivery, owner, asked } = make()
  delivery.receive(['a'])
  delivery.discard()
  t.equal(asked(), 1)
  t.equal(delivery.receive(['b']), true)
  owner.listens = true
  delivery.proceed()
  t.same(owner.heard, [])
})

t.test('discarded after the end, waiting messages give way to the end', async t => {
  const lost = new Error('lost')
  const failed = new Error('failed')
  for (const [outcome, failure, expected] of [
    [null, null, null],
    [null, failed, failed],
    [lost, failed, lost]
  ] as const) {
    const { delivery, taker } = make()
    delivery.attach(taker)
    delivery.receive(['a', 'b'])
    delivery.complete(outcome)
    t.equal(taker.ended, undefined)
    delivery.discard(failure)
    t.equal(taker.ended, expected)

    const late = make()
    late.delivery.receive(['a'])
    late.delivery.complete(outcome)
    late.delivery.discard(failure)
    late.delivery.attach(late.taker)
    t.equal(late.taker.ended, expected, 'for a view that is opened later too')

    const inside = make()
    inside.owner.listens = true
    inside.owner.onMessage = () => inside.delivery.discard(failure)
    inside.taker.isRead = false
    inside.delivery.attach(inside.taker)
    inside.delivery.paused = true
    inside.delivery.receive(['a', 'b'])
    inside.delivery.complete(outcome)
    inside.delivery.paused = false
    inside.delivery.proceed()
    t.equal(inside.taker.ended, expected, 'and in a listener')
  }
})

t.test('discarded after the end, nothing that was read is taken back', async t => {
  const { delivery, taker } = make()
  delivery.attach(taker)
  delivery.receive(['a'])
  delivery.complete(null)
  t.equal(taker.ended, null)
  delivery.discard(new Error('too late'))
  t.equal(taker.ended, null)
})

t.test('if a listener discards, delivery stops at once', async t => {
  const { delivery, owner, taker } = make()
  owner.listens = true
  owner.onMessage = () => delivery.discard()
  t.equal(delivery.receive(['a', 'b']), true)
  t.same(owner.heard, ['a'])

  const other = make()
  taker.deliver = message => {
    taker.got.push(message)
    other.delivery.discard()
    return true
  }
  other.delivery.attach(taker)
  t.equal(other.delivery.receive(['a', 'b']), true)
  t.same(taker.got, ['a'])
})

t.test('the owner is notified of the end of the input', async t => {
  const { delivery, owner } = make()
  delivery.finish()
  t.equal(owner.delivered, 1)
})

t.test('a batch of the stage before is not changed when more arrives', async t => {
  const { delivery, taker } = make()
  delivery.attach(taker)
  const batch = ['a', 'b', 'c', 'd']
  delivery.receive(batch)
  delivery.receive(['e'])
  t.same(batch, ['a', 'b', 'c', 'd'])
  taker.room = 10
  delivery.proceed()
  t.same(taker.got, ['a', 'b', 'c', 'd', 'e'])
})

t.test('the delivered part of a long queue is released when more arrives', async t => {
  const { delivery, taker } = make()
  delivery.attach(taker)
  delivery.receive(['a', 'b', 'c', 'd'])
  delivery.receive(['e'])
  for (let i = 0; i < 3; i++) {
    taker.room = 1
    delivery.proceed()
  }
  delivery.receive(['f'])
  t.same((delivery as unknown as { queue: readonly string[] }).queue, ['e', 'f'], 'a to d are gone')
  delivery.receive(['g'])
  taker.room = 10
  delivery.proceed()
  t.same(taker.got, ['a', 'b', 'c', 'd', 'e', 'f', 'g'])
})
