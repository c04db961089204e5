// Stacks in, the share of each part of a server out: the kernel's writes and reads, Node's streams, readable-stream, what the library does
// on the way in and out, the application, the collector. The bundle's lines are told apart by the names of files that esbuild leaves in it;
// a function that V8 has put into another counts as that other.

import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The parts, in the order of the table, and what a reader is told of each. */
export const PARTS = {
  'write(2)':
    'write(2) and writev(2), and what of TCP the kernel does in them: on loopback the way to the receiver too',
  'read(2)': 'read(2)',
  poll: 'epoll_wait(2)',
  streams: "JavaScript and C++ of Node's net, tls, http2 and streams",
  node: 'other JavaScript of Node: events, buffers, timers, task queues',
  'readable-stream': 'the package readable-stream',
  decode: "the library's way in: parser, unmasking, UTF-8, messages",
  encode: "the library's way out: queue, headers, copying, masks",
  wire: "the library's side of the socket: attach, pipe",
  rest: 'the rest of the library: views, events, lifecycle',
  application: "the echo's listener",
  collector: 'the garbage collector on the main thread',
  helpers: 'the other threads: the collector, the compiler',
  native: 'native code with no JavaScript on the stack: libuv, Node, V8'
}

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

function textOf(url) {
  try {
    return readFileSync(fileURLToPath(url), 'utf8')
  } catch (cause) {
    throw new Error(`cannot read ${fileURLToPath(url)}: a profile of an earlier build?`, { cause })
  }
}

/** The file of lib/ that a line of a bundle, counted from nought, came from; undefined for a file that is no bundle. */
function origin(url, line) {
  if (!bundles.has(url)) {
    const marks = textOf(url)
      .split('\n')
      .map((text, at) => ({ at, name: /^\/\/ (lib\/\S+)$/.exec(text)?.[1] }))
    bundles.set(
      url,
      marks.filter(({ name }) => name !== undefined)
    )
  }
  return bundles.get(url).findLast(({ at }) => at <= line)?.name
}

/** The part that a line of JavaScript, counted from nought, belongs to. */
function partOfPlace(url, line) {
  if (url.startsWith('node:')) {
    return /^node:(net|tls|_tls|http|_http|stream|internal\/(stream|http|tls|js_stream))/.test(url) ? 'streams' : 'node'
  }
  if (url.includes('/node_modules/readable-stream/')) return 'readable-stream'
  if (url.includes('/benchmarks/') && !url.includes('/node_modules/')) return 'application'
  const file = url.startsWith('file:') && url.includes('/dist/') ? (origin(url, line) ?? url) : url
  return LIBRARY.find(([, pattern]) => pattern.test(file))?.[0] ?? 'rest'
}

// ---- stacks of perf ---------------------------------------------------------------------------------------------

/** Frames that decide wherever they stand; some kernels have no frame of their own for a call, only for what it calls. */
const DECISIVE = [
  ['write(2)', /\b(\w*sys_(writev?|sendmsg)|do_writev|vfs_writev?)\b/],
  ['read(2)', /\b(\w*sys_(readv?|recvmsg)|do_readv|vfs_readv?)\b/],
  ['poll', /\b\w*sys_epoll_\w+/],
  [
    'collector',
    /^v8::internal::(Heap::(CollectGarbage|PerformGarbageCollection)|IncrementalMarking|MinorGCJob|ArrayBufferSweeper)/
  ]
]
/** CommonJS modules have a path, others a URL. */
const JAVASCRIPT = /^JS:.*? ((?:node:|file:|\/)\S+):(\d+):\d+$/

function partOfStack({ isMain, frames }) {
  if (!isMain) return 'helpers'
  const decided = DECISIVE.find(([, pattern]) => frames.some(frame => pattern.test(frame)))
  if (decided !== undefined) return decided[0]
  const innermost = frames.map(frame => JAVASCRIPT.exec(frame)).find(match => match !== null)
  return innermost ? partOfPlace(innermost[1], Number(innermost[2]) - 1) : 'native'
}

/** `{ part: share }` of the CPU of a process. */
export function sharesOfStacks(stacks) {
  const taken = Object.fromEntries(Object.keys(PARTS).map(part => [part, 0]))
  for (const stack of stacks) taken[partOfStack(stack)] += 1 / stacks.length
  return taken
}

// ---- profiles of V8 ---------------------------------------------------------------------------------------------

const WRITES = /^(writev|writeBuffer|write(Utf8|Latin1|Ascii|Ucs2)String)$/

/** The part that a frame belongs to; undefined for native code, which belongs to what called it. */
function partOfFrame({ functionName, url, lineNumber }) {
  if (url !== '') return partOfPlace(url, lineNumber)
  if (WRITES.test(functionName)) return 'write(2)'
  return { '(program)': 'native', '(garbage collector)': 'collector' }[functionName]
}

/**
 * `{ part: share }` of the time in which the main thread was not idle. It is clock time, so a thread that waits for a core seems to be
 * busy; and V8 takes the poll phase of libuv, in which it reads, for idle.
 */
export function sharesOfProfile({ nodes, samples, timeDeltas }) {
  const parents = new Map(nodes.flatMap(({ id, children = [] }) => children.map(child => [child, id])))
  const byId = new Map(nodes.map(node => [node.id, node]))
  const parts = new Map()
  const find = id => {
    if (!parts.has(id)) {
      const part = partOfFrame(byId.get(id).callFrame)
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
