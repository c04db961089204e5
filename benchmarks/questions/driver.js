// What a program on websocket-driver gains by the entry that takes its place: an echo by faye-websocket, and by the driver itself.

import { child, column, rounds, row } from '../harness.js'
import { startAll } from '../servers/index.js'
import { turn, warm } from './echo.js'

export const title = 'In the place of websocket-driver'
export const contestants = [
  'faye-websocket on ours',
  'faye-websocket',
  'websocket-driver: ours',
  'websocket-driver',
  'ws'
]
export const checked = false

/** What is to be reached: four times as many messages with many in flight, and no fewer with one. */
const bars = ({ window, theirs }) => [{ of: theirs, atLeast: window === 1 ? 1 : 4 }]

export async function* run({ full, pick, wanted, profile }) {
  const load = child('load', './workers/load.js')
  const servers = await startAll(pick, { profile })
  await warm(servers, load)
  for (const kind of ['binary', 'ascii']) {
    for (const window of [1, 100]) {
      const name = `125 B ${kind}, ${window === 1 ? 1 : 50} connections, ${window} in flight`
      if (!wanted(name)) continue
      const request = { size: 125, count: window === 1 ? 1 : 50, window, kind }
      const taken = await rounds(servers, full ? 7 : 3, server => turn(server, load, request, full ? 1000 : 250, false))
      const common = { question: 'driver', name }
      yield row({
        ...common,
        measure: 'messages/s',
        better: 'more',
        samples: column(taken, 'rate'),
        bars: {
          'faye-websocket on ours': bars({ window, theirs: 'faye-websocket' }),
          'websocket-driver: ours': bars({ window, theirs: 'websocket-driver' })
        }
      })
      yield row({
        ...common,
        measure: 'server CPU seconds per million messages',
        better: 'less',
        samples: column(taken, 'cpu')
      })
    }
  }
  for (const each of [...servers, load]) await each.stop()
}
