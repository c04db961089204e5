// The clients, all against one and the same lean server: messages a second, and the client's own CPU for a million.

import { child, column, label, rounds, row, sleep } from '../harness.js'

export const title = 'Clients'
const ours = ['ours: event, attach', 'ours: messages, pipes']
export const contestants = [...ours, 'ws', 'undici']

const inFull = [
  [20, 'binary'],
  [125, 'binary'],
  [125, 'ascii'],
  [125, 'mixed'],
  [1024, 'binary'],
  [16384, 'binary'],
  [65536, 'mixed'],
  [2 ** 20, 'binary']
]
const inShort = [
  [125, 'binary'],
  [65536, 'binary']
]

function* cases(full) {
  for (const [size, kind] of full ? inFull : inShort) {
    for (const count of full ? [1, 50] : [50]) {
      for (const window of size > 1024 ? [1] : [1, 100]) yield { size, kind, count, window }
    }
  }
}

async function turn(client, request, ms) {
  await client.ask({ do: 'open', ...request })
  await sleep(ms / 3)
  const before = await client.ask({ do: 'mark' })
  await sleep(ms)
  const after = await client.ask({ do: 'mark' })
  await client.ask({ do: 'finish' })
  const messages = after.messages - before.messages
  return { rate: messages / ((after.at - before.at) / 1000), cpu: (after.cpu - before.cpu) / messages }
}

export async function* run({ full, pick, wanted, profile }) {
  const server = child('raw echo', './workers/raw-echo.js')
  const port = await server.ask({ do: 'listen' })
  const clients = pick.map(name => child(name, './workers/client.js', [name], { profile }))
  for (const window of [1, 100]) {
    const request = { port, size: 125, kind: 'binary', count: 50, window }
    await rounds(clients, 1, client => turn(client, request, 300)) // warm
  }
  for (const request of cases(full)) {
    const { size, kind, count, window } = request
    const name = `${label(size)} ${kind}, ${count} connection${count > 1 ? 's' : ''}, ${window} in flight`
    if (!wanted(name)) continue
    const taken = await rounds(clients, full ? 7 : 3, client => turn(client, { port, ...request }, full ? 1000 : 300))
    const bars = Object.fromEntries(ours.map(name => [name, [{ of: 'ws', atLeast: 1 }]]))
    yield row({ question: 'clients', name, measure: 'messages/s', better: 'more', samples: column(taken, 'rate') })
    const measure = 'client CPU seconds per million messages'
    yield row({ question: 'clients', name, measure, better: 'less', samples: column(taken, 'cpu'), bars })
  }
  const wrong = await server.ask({ do: 'wrong' })
  if (wrong) throw new Error(`${wrong} connections sent something else than their message`)
  for (const each of [server, ...clients]) await each.stop()
}
