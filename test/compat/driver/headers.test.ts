// The list of header fields that faye-websocket takes.

import t from 'tap'
import { Headers } from '../../../lib/compat/driver/index.js'

t.test('the first value of a name is kept, except for fields that may be repeated', async t => {
  const headers = new Headers()
  headers.set('X-A', ' b ')
  headers.set('x-a', 'c')
  headers.set('Set-Cookie', 'a=1')
  headers.set('set-cookie', 'b=2')
  headers.set('Number', 7)
  headers.set('None', undefined)
  t.equal(headers.toString(), 'X-A: b\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\nNumber: 7\r\n')
  t.same(headers.get('set-cookie'), ['a=1', 'b=2'])
  headers.clear()
  t.equal(String(headers), '')
})

t.test('a value cannot end the line', async t => {
  const headers = new Headers()
  for (const wrong of ['a\r\nb', 'a\nb', 'a\0b']) {
    t.throws(() => headers.set('X-A', wrong), TypeError)
    t.throws(() => headers.set(wrong, 'a'), TypeError)
  }
  t.same([...headers], [])
})
