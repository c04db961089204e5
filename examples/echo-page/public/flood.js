// The connections to /flood and /keep: offers both more than the first takes while its reading is held, and shows where the bytes are.

import { command, onSample, open, openFeed } from './feed.js'
import { log } from './log.js'
import { Plot } from './plot.js'

const MEBIBYTE = 2 ** 20
const MESSAGE = crypto.getRandomValues(new Uint8Array(65536))
/** A page may fill its own memory as far as it likes: the browser never blocks `send`. So the page has to stop itself. */
const LIMIT = 128 * MEBIBYTE
// At this pace it takes some seconds to the limit, slow enough to watch.
const PACE = { interval: 20, bytes: MEBIBYTE }

const SENTENCES = {
  idle: 'Idle.',
  filling: 'The page sends the same to both servers. Neither application uses any of it.',
  full: 'The page stops: 128 MiB wait in it. One server has kept all, the other is as small as before.',
  draining: 'The server that waited reads.',
  drained: 'All is read.',
  closed: 'The connections are closed.'
}

const $ = id => document.getElementById(id)

const plot = new Plot($('plot'), [
  { color: '--offered', dash: [2, 4] },
  { color: '--memory', dash: [] },
  { color: '--keeper', dash: [8, 5] }
])

let socket
/** The same flood, to the server that keeps everything. */
let keeper
let sent = 0
let timer
let closeWhenDrained = false
let state = 'idle'

$('flood').addEventListener('click', flood)
$('release').addEventListener('click', release)
$('stop-flood').addEventListener('click', () => {
  closeWhenDrained = true
  release()
})
onSample(show)
showState('idle')

async function flood() {
  showState('filling')
  await openFeed()
  closeWhenDrained = false
  if (socket?.readyState === WebSocket.OPEN) {
    await command('hold')
    start()
    return
  }
  sent = 0
  socket = open('/flood')
  keeper = open('/keep')
  socket.onopen = start
  keeper.onopen = start
  // at 256 MiB it is given up
  keeper.onclose = ({ wasClean }) =>
    wasClean || log('problem', 'the server that keeps everything gave up its connection')
  socket.onclose = () => {
    clearInterval(timer)
    keeper.close()
    showState('closed')
  }
}

function start() {
  clearInterval(timer)
  // released again before the connections were open
  if (state !== 'filling' || socket.readyState !== WebSocket.OPEN || keeper.readyState === WebSocket.CONNECTING) return
  timer = setInterval(offer, PACE.interval)
}

/** `bufferedAmount` is the only sign of backpressure in a browser: the bytes that `send` took and the network did not. */
function offer() {
  for (let bytes = 0; bytes < PACE.bytes && socket.bufferedAmount < LIMIT; bytes += MESSAGE.length) {
    socket.send(MESSAGE)
    if (keeper.readyState === WebSocket.OPEN) keeper.send(MESSAGE)
    sent += MESSAGE.length
  }
  showState(socket.bufferedAmount < LIMIT ? 'filling' : 'full')
}

function release() {
  clearInterval(timer)
  showState('draining')
  command('release')
}

function show({ rss, keeper: other, flood }) {
  // a sample may still speak of the connection before this one
  const own = flood && flood.connection === socket?.connection ? flood : { held: 0, consumed: 0 }
  const live = socket?.readyState === WebSocket.OPEN
  const offered = live ? sent - own.consumed : 0
  const buffered = live ? socket.bufferedAmount : 0
  write('offered', offered)
  write('held', own.held)
  write('memory', rss)
  if (other) {
    write('keeper-memory', other.rss)
    write('keeper-kept', other.kept)
  }
  write('buffered', buffered)
  // the sample is some milliseconds older than the other two numbers
  write('in-flight', Math.max(0, offered - buffered - own.held))
  write('consumed', own.consumed)
  plot.add([offered, rss, other?.rss])

  if (state !== 'draining' || !live || own.consumed < sent) return
  showState('drained')
  if (closeWhenDrained) socket.close(1000, 'flood over')
}

function write(id, bytes) {
  $(id).value = bytes
  $(id).textContent = bytes < MEBIBYTE ? `${(bytes / 1024).toFixed(0)} KiB` : `${(bytes / MEBIBYTE).toFixed(1)} MiB`
}

function showState(next) {
  // twenty milliseconds apart, and read aloud if written: only what is new
  if (next === state && $('flood-status').textContent === SENTENCES[next]) return
  state = next
  if (next !== 'idle') log('info', SENTENCES[next])
  $('flood-status').dataset.state = next
  $('flood-status').textContent = SENTENCES[next]
  const sending = next === 'filling' || next === 'full'
  $('flood').disabled = sending || next === 'draining'
  $('release').disabled = !sending
  $('stop-flood').disabled = next === 'idle' || next === 'closed'
}
