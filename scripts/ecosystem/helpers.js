// What several scenarios need.

import { once } from 'node:events'
import http from 'node:http'

/** An HTTP server on a free port of the loopback. */
export async function listen(server) {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server.address().port
}

/** Resolves with the event of an EventTarget, or of what looks like one. */
export function event(target, name) {
  return new Promise(resolve => {
    target[`on${name}`] = resolve
  })
}

/** Resolves with status, fields and body of an answer. */
export async function get(url, options = {}) {
  const request = http.request(url, { agent: false, ...options })
  request.end(options.body)
  const [answer] = await once(request, 'response')
  const chunks = []
  for await (const chunk of answer) chunks.push(chunk)
  return { status: answer.statusCode, headers: answer.headers, body: Buffer.concat(chunks).toString() }
}

/** Waits until a condition holds. */
export async function until(condition) {
  while (!condition()) await new Promise(resolve => setTimeout(resolve, 5))
}
