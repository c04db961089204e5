// A CPU profile in, the share of each part of a server out: the socket's writes and reads, Node's streams, readable-stream, what the library
// does on the way in and out, the application, the collector. The bundle's lines are told apart by the names of files that esbuild leaves
// in it.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The parts, in the order of the table, and what a reader is told of each. */
export const PARTS = {
  write: 'native calls that write to a socket: writev(2), write(2)',
  native: 'native code with no JavaScript on the stack: read(2), epoll_wait(2), libuv',
  streams: "JavaScript of Node's net, tls, http2 and streams",
  node: 'other JavaScript of Node: events, buffers, timers, task queues',
  'readable-stream': 'the package readable-stream',
  decode: "the library's way in: parser, unmasking, UTF-8, messages",
  encode: "the library's way out: queue, header, copying, masks",
  wire: "the library's side of the socket: attach, pipe",
  rest: 'the rest of the library: views, events, lifecycle',
  application: "the echo's listener",
  collector: 'the garbage collector, on the main thread'
}

const WRITES = /^(writev|writeBuffer|write(Utf8|Latin1|Ascii|Ucs2)String)$/

/** Our files, and those of `ws`, by what they do. */
const LIBRARY = [
  [
    'decode',
    /^lib\/(inbound|stages\/(frame-decoder|message-assembler|byte-unwrapper)|protocol\/(frame-parser|draft-parser|mask|message-joiner|received-bytes|small-payload|utf8|collector-pace))/
  ],
  [
    'encode',
    /^lib\/(outbound|stages\/(frame-encoder|message-fragmenter|paced-work)|protocol\/(frame-writer|draft-writer|message-splitter|output-memory|prepare|text-bytes))/
  ],
  ['wire', /^lib\/(wires\/|wire-stream|drivers\/)/],
  ['rest', /^lib\//],
  ['decode', /\/ws\/lib\/(receiver|buffer-util|validation)\.js$/],
  ['encode', /\/ws\/lib\/sender\.js$/],
  ['wire', /\/ws\/lib\/websocket\.js$/],
  ['rest', /\/ws\/lib\//]
]

const bundles = new Map()

/** The file of lib/ that a line of a bundle, counted from nought, came from; undefined for a file that is no bundle. */
function origin(url, line) {
  if (!bundles.has(url)) {
    const marks = []
    readFileSync(fileURLToPath(url), 'utf8')
      .split('\n')
      .forEach((text, at) => {
        const name = /^\/\/ (lib\/\S+)$/.exec(text)?.[1]
        if (name) marks.push({ at, name })
      })
    bundles.set(url, marks)
  }
  return bundles.get(url).findLast(({ at }) => at <= line)?.name
}

/** The part that a frame belongs to; undefined for native code, which belongs to what called it. */
function partOf({ functionName, url, lineNumber }) {
  if (url === '') {
    if (WRITES.test(functionName)) return 'write'
    return { '(program)': 'native', '(garbage collector)': 'collector' }[functionName]
  }
  if (url.startsWith('node:')) {
    return /^node:(net|tls|_tls|http|_http|stream|internal\/(stream|http|tls|js_stream))/.test(url) ? 'streams' : 'node'
  }
  if (url.includes('/node_modules/readable-stream/')) return 'readable-stream'
  if (url.includes('/benchmarks/')) {
    const isDependency = url.includes('/node_modules/')
    if (!isDependency) return 'application'
  }
  const file = url.startsWith('file:') && url.includes('/dist/') ? (origin(url, lineNumber) ?? url) : url
  return LIBRARY.find(([, pattern]) => pattern.test(file))?.[0] ?? 'rest'
}

/** `{ part: share }` of the time in which the thread was not idle. */
export function shares({ nodes, samples, timeDeltas }) {
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map(child => [child, id])))
  const byId = new Map(nodes.map(node => [node.id, node]))
  const parts = new Map()
  const find = id => {
    if (!parts.has(id)) {
      const part = partOf(byId.get(id).callFrame)
      parts.set(id, part ?? (parents.has(id) ? find(parents.get(id)) : 'native'))
    }
    return parts.get(id)
  }
  const taken = Object.fromEntries(Object.keys(PARTS).map(part => [part, 0]))
  let total = 0
  samples.forEach((id, i) => {
    if (byId.get(id).callFrame.functionName === '(idle)') return
    taken[find(id)] += timeDeltas[i]
    total += timeDeltas[i]
  })
  return Object.fromEntries(Object.entries(taken).map(([part, time]) => [part, time / total]))
}
