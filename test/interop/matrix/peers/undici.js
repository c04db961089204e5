// The WebSocket of undici, which is Node's own, as a client. It pings through a function and a diagnostics channel.

import diagnostics from 'node:diagnostics_channel'
import { require, run, tell, versionOf } from './program.js'
import { connect } from './standard.js'

const { ping, WebSocket } = require('undici')

diagnostics.subscribe('undici:websocket:pong', ({ payload, websocket }) => {
  websocket.dispatchEvent(Object.assign(new Event('pong'), { data: payload ?? '' }))
})

await run(versionOf('undici'), {
  connect: url => connect(WebSocket, url, tell, (socket, payload) => ping(socket, Buffer.from(payload)))
})
