// What does it cost to say the same to many? CPU of the server for each delivery: framed once and shared, framed for each, and ws.

import { child, column, label, rounds, row } from '../harness.js'

export const title = 'The same to many'
export const contestants = ['ours: prepared', 'ours: each', 'ws']

const bars = {
  'ours: prepared': [
    { of: 'ws', atLeast: 1 },
    { of: 'ours: each', atLeast: 1 }
  ]
}

async function start(name, connections, profile) {
  const how = name.replace('ours: ', '').replace(' again', '')
  const server = child(name, './workers/broadcast.js', [how], { flags: ['--single-threaded-gc'], profile })
  const receivers = child(`receivers of ${name}`, './workers/receivers.js')
  await receivers.ask({ do: 'hold', port: await server.ask({ do: 'listen' }), count: connections })
  return { name, server, receivers }
}

async function sample({ server, receivers }, text, count, connections) {
  await receivers.ask({ do: 'expect', text, count })
  const before = await server.ask({ do: 'usage' })
  await server.ask({ do: 'broadcast', text, count })
  await receivers.ask({ do: 'received' })
  const after = await server.ask({ do: 'usage' })
  return { cpu: (after.cpu - before.cpu) / (count * connections) }
}

export async function* run({ full, pick, wanted, profile }) {
  const connections = full ? 10_000 : 1000
  const name = `${connections} connections`
  for (const size of [125, 4096]) {
    const title = `${label(size)} of text to ${name}`
    if (!wanted(title)) continue
    const text = 'broadcast '.repeat(size / 10 + 1).slice(0, size)
    const count = full ? 20 : 30
    const started = []
    for (const contestant of pick) started.push(await start(contestant, connections, profile))
    const once = one => sample(one, text, count, connections)
    const taken = await rounds(started, full ? 7 : 5, once, once)
    yield row({
      question: 'broadcast',
      name: title,
      measure: 'µs of server CPU a delivery',
      better: 'less',
      samples: column(taken, 'cpu'),
      bars
    })
    for (const { server, receivers } of started) {
      await receivers.stop()
      await server.stop()
    }
  }
}
