// What does one stage more cost: linked, as `pipe` does between two of our own, and ordinary, with any other stream?

import { child, rounds, row } from '../harness.js'

export const title = 'One stage more'
export const contestants = [
  'none more',
  'one more, linked',
  'four more, linked',
  'one more, ordinary',
  'four more, ordinary'
]
export const checked = false

const flags = ['--single-threaded-gc', '--expose-gc']

export async function* run({ full, wanted, profile }) {
  for (const framesPerChunk of [0, 1]) {
    const name = framesPerChunk ? '125 B, a frame a chunk' : '125 B, chunks of 64 KiB'
    if (!wanted(name)) continue
    const children = contestants.map(name => child(name, './workers/stages.js', [name], { flags, profile }))
    const ready = async each => {
      await each.ask({ do: 'prepare', framesPerChunk })
      await each.ask({ do: 'sample', ms: full ? 400 : 200 }) // warm
    }
    const samples = await rounds(children, full ? 9 : 5, each => each.ask({ do: 'sample', ms: full ? 200 : 80 }), ready)
    yield row({
      question: 'stages',
      name,
      measure: 'ns of CPU a message',
      better: 'less',
      samples,
      reference: 'none more',
      plain: true
    })
    if (framesPerChunk) {
      const heap = {}
      for (const each of children.filter(({ name }) => name in samples))
        heap[each.name] = [await each.ask({ do: 'heap', count: 2000 })]
      const measure = 'bytes of heap a chain'
      yield row({
        question: 'stages',
        name: 'idle',
        measure,
        better: 'less',
        samples: heap,
        reference: 'none more',
        plain: true
      })
    }
    for (const each of children) await each.stop()
  }
}
