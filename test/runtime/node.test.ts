import t from 'tap'
import * as runtime from '../../lib/runtime/node.js'

t.test("what stands for Node's own is Node's own", async t => {
  t.equal(runtime.Buffer, Buffer)
  t.equal(runtime.nextTick, process.nextTick)
  t.equal(runtime.setImmediate, setImmediate)
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
