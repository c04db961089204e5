// What does it cost to stand between two sides? CPU of the relay alone, each in a process of its own, for messages that go there and come
// back. `ours: frames` passes frames as they are, `ours: streams` and `ws` undo and redo each message.

import { child, column, label, rounds, row } from '../harness.js'

export const title = 'A relay'
export const contestants = ['ours: frames', 'ours: streams', 'ws']

// less than half of what it costs to inflate and to deflate
const compressedBars = {
  'ours: frames': [
    { of: 'ws', atLeast: 2 },
    { of: 'ours: streams', atLeast: 2 }
  ]
}
const plainBars = { 'ours: frames': [{ of: 'ws', atLeast: 1 }] }
const CASES = [
  { size: 1024, compressed: true, inFlight: 16 },
  { size: 65536, compressed: true, inFlight: 4 },
  { size: 125, compressed: false, inFlight: 16 },
  { size: 65536, compressed: false, inFlight: 4 }
]

async function start(name, { compressed }, profile) {
  const flags = ['--single-threaded-gc']
  const maker = name.replace('ours: ', '').replace(' again', '')
  const ends = child(`ends of ${name}`, './workers/relay-ends.js')
  const relay = child(name, './workers/relay.js', [maker, compressed ? 'yes' : 'no'], { flags, profile })
  const port = await relay.ask({
    do: 'listen',
    target: `ws://127.0.0.1:${await ends.ask({ do: 'listen', compressed })}/`
  })
  const extensions = await ends.ask({ do: 'connect', port, compressed })
  if ((extensions !== '') !== compressed) throw new Error(`${name} agreed on '${extensions}'`)
  return { name, ends, relay }
}

async function sample({ ends, relay }, { size, inFlight }, count) {
  const before = await relay.ask({ do: 'usage' })
  await ends.ask({ do: 'run', size, count, inFlight })
  const after = await relay.ask({ do: 'usage' })
  return { cpu: (after.cpu - before.cpu) / count }
}

export async function* run({ full, pick, wanted, profile }) {
  for (const each of CASES) {
    const { size, compressed } = each
    const name = `${label(size)} of text, ${compressed ? 'compressed on both sides' : 'plain'}`
    if (!wanted(name)) continue
    const count = Math.round((full ? 40_000 : 8000) / (size > 1024 ? 16 : 1))
    const started = []
    for (const contestant of pick) started.push(await start(contestant, each, profile))
    const taken = await rounds(
      started,
      full ? 7 : 3,
      one => sample(one, each, count),
      one => sample(one, each, count)
    )
    yield row({
      question: 'relay',
      name,
      measure: 'µs of relay CPU for a message and its echo',
      better: 'less',
      samples: column(taken, 'cpu'),
      bars: compressed ? compressedBars : plainBars
    })
    for (const { ends, relay } of started) {
      await relay.stop()
      await ends.stop()
    }
  }
}
