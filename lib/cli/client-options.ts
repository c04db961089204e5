// What the commands that connect somewhere have in common: their options come in, and a URL; options of `connect` come out.

import { readFileSync } from 'node:fs'
import { type ConnectOptions, permessageDeflate } from '../index.js'
import { UsageError } from './io.js'
import { flag, list, text, type Values } from './options.js'
import type { Notes } from './terminal.js'

/** Where to, and how the way there is made. */
export const TARGET_OPTIONS = {
  header: list("'NAME: VALUE'", 'a header field of the request'),
  proxy: text('URL', "an HTTP proxy, or 'environment': whatever HTTPS_PROXY, HTTP_PROXY and NO_PROXY say"),
  http2: flag('HTTP/2 (RFC 8441) for wss: where the server has it'),
  ca: text('FILE', 'certificates (PEM) of authorities to trust in place of the usual ones'),
  insecure: flag("do not check the server's certificate: anybody may be in between")
}

export const CLIENT_OPTIONS = {
  protocol: list('NAME', 'a subprotocol to offer'),
  origin: text('ORIGIN', 'the Origin field, as of a page'),
  compress: flag('offer permessage-deflate (RFC 7692)'),
  ...TARGET_OPTIONS
}

/** @throws UsageError where a value is wrong */
export function targetOptions(values: Values<typeof TARGET_OPTIONS>, notes: Notes): ConnectOptions {
  const { header, proxy, http2, ca, insecure } = values
  if (insecure) notes.warn('the certificate is not checked: anybody may read and change what is sent')
  const tls = {
    ...(ca !== undefined && { ca: readCertificates(ca) }),
    ...(insecure && { rejectUnauthorized: false })
  }
  return { headers: header.map(readHeader), proxy, http2, tls, proxyTls: tls }
}

/** @throws UsageError where a value is wrong */
export function clientOptions(values: Values<typeof CLIENT_OPTIONS>, notes: Notes): ConnectOptions {
  const { protocol, origin, compress } = values
  const extensions = compress ? [permessageDeflate()] : []
  return { ...targetOptions(values, notes), protocols: protocol, origin, extensions }
}

function readHeader(given: string): readonly [string, string] {
  const colon = given.indexOf(':')
  if (colon < 1) throw new UsageError(`--header needs 'NAME: VALUE', not '${given}'`)
  return [given.slice(0, colon).trim(), given.slice(colon + 1).trim()]
}

function readCertificates(path: string): Buffer {
  const bytes = readFile(path)
  // TLS would take any bytes, and then trust no certificate
  if (!bytes.includes('-----BEGIN')) throw new UsageError(`there is no certificate in ${path}`)
  return bytes
}

/** @throws UsageError where it cannot be read */
export function readFile(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${(error as Error).message}`)
  }
}

/** @throws UsageError where it is no URL for a WebSocket */
export function checkUrl(given: string): string {
  if (/^ws\+unix:/i.test(given)) return given
  const scheme = /^([a-z][a-z\d+.-]*):\/\//i.exec(given)?.[1]
  if (scheme === undefined) throw new UsageError(`'${given}' has no scheme; did you mean ws://${given} ?`)
  if (!/^(wss?|https?)$/i.test(scheme)) {
    throw new UsageError(`the scheme of a URL is ws, wss, http, https or ws+unix, not ${scheme}`)
  }
  return given
}

/** Runs what finds faults in options; these are the user's. @throws UsageError */
export function checked<T>(run: () => T): T {
  try {
    return run()
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}
