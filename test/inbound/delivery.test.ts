// Messages on their way to whoever takes them: a view, listeners, or nobody yet.

import t from 'tap'
import {
  Delivery,
  type DeliveryOwner,
  type MessageListeners,
  type Taker as MessageTaker
} from '../../lib/inbound/delivery.js'
import type { Message } from '../../lib/index.js'

class Owner implements DeliveryOwner, MessageListeners<Message> {
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

class Taker implements MessageTaker<Message> {
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

t.test('with nobody there messages wait, and no more is asked for', async t => {
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

t.test('a taker gets one after another, and the end behind them', async t => {
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

t.test('the end is told to a taker that comes late, behind what waits', async t => {
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

t.test('listeners and a taker get the same, once', async t => {
  const { delivery, owner, taker } = make()
  owner.listens = true
  delivery.attach(taker)
  delivery.receive(['a', 'b'])
  taker.room = 5
  delivery.proceed()
  t.same(owner.heard, ['a', 'b'])
  t.same(taker.got, ['a', 'b'])
})

t.test('what comes behind the message with which the last listener goes waits', async t => {
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

t.test('what comes while a message is being announced is queued', async t => {
  const { delivery, owner } = make()
  owner.listens = true
  owner.onMessage = () => {
    owner.onMessage = null
    t.equal(delivery.receive(['c']), true)
  }
  t.equal(delivery.receive(['a', 'b']), true)
  t.same(owner.heard, ['a', 'b', 'c'])
})

t.test('discard drops what waits and what comes', async t => {
  const { delivery, owner, asked } = make()
  delivery.receive(['a'])
  delivery.discard()
  t.equal(asked(), 1)
  t.equal(delivery.receive(['b']), true)
  owner.listens = true
  delivery.proceed()
  t.same(owner.heard, [])
})

t.test('discarded by a listener, it stops at once', async t => {
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

t.test('the end of input is told to its owner', async t => {
  const { delivery, owner } = make()
  delivery.finish()
  t.equal(owner.delivered, 1)
})

t.test('what has been delivered of a long queue is forgotten when more comes', async t => {
  const { delivery, taker } = make()
  delivery.attach(taker)
  delivery.receive(['a', 'b', 'c', 'd'])
  delivery.receive(['e'])
  for (let i = 0; i < 3; i++) {
    taker.room = 1
    delivery.proceed()
  }
  delivery.receive(['f'])
  delivery.receive(['g'])
  taker.room = 10
  delivery.proceed()
  t.same(taker.got, ['a', 'b', 'c', 'd', 'e', 'f', 'g'])
})
