// The server that echo servers answer upgrades on: HTTP, or HTTPS with the certificate of the tests.

import { readFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { at } from '../harness.js'

export function makeServer(isSecure) {
  if (!isSecure) return http.createServer()
  const read = name => readFileSync(at(`../test/support/certificates/${name}.pem`))
  return https.createServer({ key: read('localhost-key'), cert: read('localhost') })
}
