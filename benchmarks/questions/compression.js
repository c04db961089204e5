// What does compression cost a server, by its CPU and by its memory? An echo of JSON over loopback, context taken over on both sides,
// everything compressed. `as zlib` has the parameters that ws has: windows of 15, memLevel 8, level 6; websocket-driver is that with
// npm's permessage-deflate, at zlib's defaults as well.

import { child, column, label, rounds, row, sleep } from '../harness.js'

export const title = 'Compression'
const ours = ['ours as zlib', 'ours by default']
export const contestants = [...ours, 'ws', 'websocket-driver']

/** Longer than an idle connection of ours keeps zlib. */
const IDLE = 11_000

function* cases(full) {
  for (const size of [125, 1024, 65536]) {
    for (const window of size < 4096 ? [1, 20] : full ? [1, 4] : [1]) yield { size, window, count: 50 }
  }
}

async function start(name, options) {
  const server = child(name, './workers/compression.js', [name], options)
  server.port = await server.ask({ do: 'listen' })
  return server
}

async function turn(server, load, request, ms) {
  await load.ask({ do: 'open', port: server.port, ...request })
  await load.ask({ do: 'go' })
  await sleep(ms / 3)
  const [before, mark] = await Promise.all([server.ask({ do: 'usage' }), load.ask({ do: 'mark' })])
  await sleep(ms)
  const [after, markAfter] = await Promise.all([server.ask({ do: 'usage' }), load.ask({ do: 'mark' })])
  await load.ask({ do: 'finish' })
  const messages = markAfter.messages - mark.messages
  return { rate: messages / ((markAfter.at - mark.at) / 1000), each: messages / ((after.cpu - before.cpu) / 1e6) }
}

/** What a connection holds that has just had 50 KiB echoed; and what is left of that when it has been silent, where `idles`. */
async function memory(name, count, idles, profile) {
  const server = await start(name, { flags: ['--expose-gc'], profile })
  const load = child('load', './workers/compressed-load.js')
  const talk = { do: 'converse', port: server.port, sizes: [125, 1024], messages: 45 }
  // what is loaded on first use is charged to nobody
  await load.ask({ ...talk, count: 50 })
  await load.ask({ do: 'release' })
  const before = await server.ask({ do: 'settle' })
  await load.ask({ ...talk, count })
  const active = await server.ask({ do: 'settle' })
  if (idles) await sleep(IDLE)
  const idle = await server.ask({ do: 'settle' })
  await load.ask({ do: 'release' })
  await server.stop()
  await load.stop()
  const held = ({ heapUsed, external }) => (heapUsed + external - before.heapUsed - before.external) / count
  return { rss: (active.rss - before.rss) / count, active: held(active), idle: held(idle) }
}

const every = bars => Object.fromEntries(ours.map(name => [name, bars]))

export async function* run({ full, pick, wanted, profile }) {
  const load = child('load', './workers/compressed-load.js')
  const servers = []
  for (const name of pick) servers.push(await start(name, { profile }))
  const request = { size: 1024, window: 20, count: 50 }
  await rounds(servers, 1, server => turn(server, load, request, 400))
  for (const request of cases(full)) {
    const { size, window, count } = request
    const name = `echo of ${label(size)} JSON, ${count} connections, ${window} in flight`
    if (!wanted(name)) continue
    const taken = await rounds(servers, full ? 9 : 5, server => turn(server, load, request, full ? 1500 : 500))
    yield row({ question: 'compression', name, measure: 'messages/s', better: 'more', samples: column(taken, 'rate') })
    yield row({
      question: 'compression',
      name,
      measure: 'messages per server CPU second',
      better: 'more',
      samples: column(taken, 'each'),
      bars: every([{ of: 'ws', atLeast: size < 4096 ? 1.2 : 1 }])
    })
  }
  for (const each of [...servers, load]) await each.stop()

  const count = full ? 1000 : 300
  const name = `${count} connections that have each had 50 KiB echoed`
  if (!wanted(name)) return
  const contestants = pick.map(name => ({ name }))
  const taken = await rounds(contestants, 3, ({ name }) => memory(name, count, full, profile))
  const common = { question: 'compression', name, better: 'less', plain: true }
  const bars = every([{ of: 'ws', atMost: 1 }])
  yield row({ ...common, measure: 'bytes of resident memory a connection', samples: column(taken, 'rss'), bars })
  // no bar: what may be referred to is among our buffers, and within zlib for the others
  yield row({ ...common, measure: 'bytes of heap and buffers, zlib aside', samples: column(taken, 'active') })
  if (!full) return
  const measure = 'the same after eleven seconds of silence, when ours have no zlib any more'
  yield row({ ...common, measure, samples: column(taken, 'idle'), bars })
}
