import { AsyncLocalStorage } from 'node:async_hooks'
import t from 'tap'
import * as runtime from '../../lib/runtime/node.js'

t.test("the exports of Node's own functions are Node's own", async t => {
  t.equal(runtime.Buffer, Buffer)
  t.equal(runtime.nextTick, process.nextTick)
  t.equal(runtime.setImmediate, setImmediate)
})

t.test('the young generation of V8 takes some hundreds of KiB or more', async t => {
  t.ok(runtime.youngCapacity() > 2 ** 17)
  t.ok(runtime.heapLimit() > 2 ** 27)
})

t.test('random bytes fill all of the memory', async t => {
  const bytes = Buffer.alloc(1024)
  runtime.fillRandom(bytes)
  t.ok(new Set(bytes).size > 100)
})

t.test('an optional module is there, or null', async t => {
  t.equal(typeof runtime.loadOptional('tap'), 'object')
  t.equal(runtime.loadOptional('no-such-module-as-this'), null)
})

t.test('memory that is marked as shared is not detached by a transfer', async t => {
  const bytes = Buffer.allocUnsafeSlow(8)
  t.equal(runtime.markAsShared(bytes.buffer), true)
  try {
    // Node 20 copies it, later versions refuse
    structuredClone(bytes, { transfer: [bytes.buffer as ArrayBuffer] })
  } catch {}
  t.equal(bytes.length, 8)
})

t.test(
  'a bound function runs in the context where it was bound, and shared objects are made outside of all contexts',
  async t => {
    const storage = new AsyncLocalStorage<string>()
    const seen: unknown[] = []
    const bound = storage.run('here', () => runtime.bindContext(() => seen.push(storage.getStore())))
    storage.run('there', bound)
    storage.run('there', () => runtime.outsideContexts(() => seen.push(storage.getStore())))
    t.same(seen, ['here', undefined])
  }
)
