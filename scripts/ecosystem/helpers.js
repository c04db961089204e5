// Helpers of several scenarios.

import { once } from 'node:events'
import http from 'node:http'

/** Listens on a free port of the loopback interface; resolves with the port. */
export async function listen(server) {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server.address().port
}

/** Resolves with the next event of an object with `on…` attributes. */
export function event(target, name) {
  return new Promise(resolve => {
    target[`on${name}`] = resolve
  })
}

/** Resolves with status, headers and body of the response. */
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
