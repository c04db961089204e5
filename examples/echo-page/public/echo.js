// The connection to /echo: opens it, sends text and bytes, measures the round trip, closes it, and shows what both sides saw.

import { command, onSample, open, openFeed } from './feed.js'
import { log } from './log.js'

const PREVIEW = 24
// maximum bytes of one call of getRandomValues
const RANDOM_AT_ONCE = 65536

const $ = id => document.getElementById(id)

let socket
/** Messages without an echo, oldest first: the server echoes in order. */
let waiting = []
/** Whether the connection was open. */
let wasOpen = false
/** Why the server could not obey the last command, as of the last sample. */
let serverProblem = ''

$('connect-form').addEventListener('submit', event => {
  event.preventDefault()
  connect()
})
$('disconnect').addEventListener('click', () => {
  // no code and no reason: the browser sends an empty close frame, and both sides see 1005
  socket.close()
  showState()
})
$('text-form').addEventListener('submit', event => {
  event.preventDefault()
  send($('text').value)
})
$('binary-form').addEventListener('submit', event => {
  event.preventDefault()
  try {
    send(chosenBytes())
  } catch (error) {
    log('problem', error.message)
  }
})
$('close-form').addEventListener('submit', event => {
  event.preventDefault()
  try {
    socket.close($('close-code').valueAsNumber, $('close-reason').value)
    $('close-problem').textContent = ''
  } catch (error) {
    // a browser lets a page send 1000 and 3000 to 4999 only, and 123 bytes of reason
    $('close-problem').textContent = error.message
  }
  showState()
})
$('server-close').addEventListener('click', () => {
  serverProblem = undefined
  command('close', { code: $('close-code').valueAsNumber, reason: $('close-reason').value })
})
onSample(({ echo, problem }) => {
  // written only when it changes, since the browser's own errors are shown in the same element
  if (problem !== serverProblem) $('close-problem').textContent = serverProblem = problem
  // a sample may still describe the previous connection
  if (!echo || echo.connection !== socket?.connection) return
  if (echo.version) $('version').textContent = echo.version
  if (echo.closed && $('close-server').textContent === '–') {
    $('close-server').textContent = echo.refusal || describeClose(echo.closed)
    if (!wasOpen) log('info', explainRefusal(echo))
  }
})

async function connect() {
  $('connect').disabled = true
  // the feed brings the version, and how the server saw the end
  await openFeed()
  waiting = []
  wasOpen = false
  for (const id of ['version', 'protocol', 'rtt', 'close-browser', 'close-server']) $(id).textContent = '–'
  $('close-problem').textContent = ''

  const offer = $('protocols').value.split(',').filter(Boolean)
  const path = $('path').value
  socket = open(path, offer)
  socket.binaryType = 'arraybuffer'
  socket.onopen = () => {
    wasOpen = true
    $('protocol').textContent = socket.protocol || 'none'
    log('info', `open, subprotocol ${socket.protocol || 'none'}`)
    showState()
  }
  socket.onmessage = ({ data }) => receive(data)
  socket.onclose = event => {
    $('close-browser').textContent = describeClose(event)
    if (wasOpen) log('info', `closed: ${describeClose(event)}`)
    else log('problem', `no connection: the browser says code ${event.code}, and never tells a page why`)
    showState()
  }
  log('info', `connecting to ${path}, offering ${offer.join(', ') || 'no subprotocol'}`)
  showState()
}

function send(data) {
  waiting.push({ data, at: performance.now() })
  socket.send(data)
  log('sent', `→ ${describe(data)}`)
}

function receive(data) {
  const now = performance.now()
  const sent = waiting.shift()
  if (!sent) return log('problem', `← ${describe(data)}, which is no echo`)
  // browsers round their clock to a tenth of a millisecond
  const time = `${(now - sent.at).toFixed(1)} ms`
  $('rtt').textContent = time
  const right = isEcho(sent.data, data)
  log(right ? 'echo' : 'problem', `← ${describe(data)}, ${right ? 'as sent' : 'NOT as sent'}, ${time}`)
}

function isEcho(sent, received) {
  if (typeof sent === 'string') {
    return received === (socket.protocol === 'echo.upper' ? sent.toUpperCase() : sent)
  }
  if (!(received instanceof ArrayBuffer) || received.byteLength !== sent.length) return false
  const bytes = new Uint8Array(received)
  return sent.every((byte, index) => byte === bytes[index])
}

function chosenBytes() {
  const hex = $('binary-hex').value.replace(/\s+/g, '')
  if (/[^\da-f]/i.test(hex) || hex.length % 2) throw new Error('hex has two digits for each byte, 0 to 9 and a to f')
  if (hex) return Uint8Array.from(hex.match(/../g), pair => Number.parseInt(pair, 16))

  const { valueAsNumber: size, max } = $('binary-size')
  const right = Number.isInteger(size) && size >= 0 && size <= max
  if (!right) throw new Error(`the size is a whole number from 0 to ${max}`)
  const bytes = new Uint8Array(size)
  for (let at = 0; at < size; at += RANDOM_AT_ONCE) crypto.getRandomValues(bytes.subarray(at, at + RANDOM_AT_ONCE))
  return bytes
}

function describe(data) {
  if (typeof data === 'string') return `text “${data.length > 200 ? `${data.slice(0, 200)}…` : data}”`
  const bytes = new Uint8Array(data.buffer ?? data)
  const digits = Array.from(bytes.subarray(0, PREVIEW), byte => byte.toString(16).padStart(2, '0'))
  return `binary, ${bytes.length} bytes${digits.length ? ': ' : ''}${digits.join(' ')}${bytes.length > PREVIEW ? ' …' : ''}`
}

function describeClose({ code, reason, wasClean, initiator }) {
  const began = initiator ? `, initiator: ${initiator}` : ''
  return `code ${code}, ${reason ? `reason “${reason}”` : 'no reason'}, wasClean: ${wasClean}${began}`
}

/** Why there is no connection: the browser does not say, but the server does. */
function explainRefusal({ refusal, version }) {
  if (refusal) return `the server refused with ${refusal}`
  if (version) return 'the server chose none of the subprotocols that were offered, and a browser then gives up'
  return 'the server saw no handshake that it could answer'
}

function showState() {
  const state = ['connecting', 'open', 'closing', 'closed'][socket.readyState]
  $('status').textContent = state
  $('status').dataset.state = state
  $('connect').disabled = state !== 'closed'
  $('disconnect').disabled = state === 'closed' || state === 'closing'
  for (const id of ['send-text', 'send-binary', 'close', 'server-close']) $(id).disabled = state !== 'open'
}
