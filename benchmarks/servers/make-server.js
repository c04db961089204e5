// The server that echo servers answer upgrades on: HTTP or HTTP/2, over TLS with the certificate of the tests; and what each of them
// answers on its control line.

import { readFileSync } from 'node:fs'
import http from 'node:http'
import http2 from 'node:http2'
import https from 'node:https'
import { at } from '../harness.js'

function certificate() {
  const read = name => readFileSync(at(`../test/support/certificates/${name}.pem`))
  return { key: read('localhost-key'), cert: read('localhost') }
}

export function makeServer(isSecure) {
  return isSecure ? https.createServer(certificate()) : http.createServer()
}

/** Without TLS, clients must know beforehand that it speaks HTTP/2. */
export function makeHttp2Server(isSecure, options = {}) {
  return isSecure ? http2.createSecureServer({ ...certificate(), ...options }) : http2.createServer(options)
}

/** The methods `listen`, on a port that other processes may share, and `connections`: how many came since it was last asked. */
export function listening(server) {
  let count = 0
  server.on('connection', () => count++)
  return {
    listen({ port = 0, reusePort = false }) {
      const where = { port, host: '127.0.0.1', backlog: 4096, ...(reusePort ? { reusePort } : {}) }
      return new Promise((resolve, reject) => {
        server.once('error', reject)
        server.listen(where, () => resolve(server.address().port))
      })
    },
    connections() {
      const counted = count
      count = 0
      return [counted]
    }
  }
}
