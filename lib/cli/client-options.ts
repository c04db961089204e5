// The options that the client commands share, converted to options of `connect`; and their URL.

import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { type ConnectOptions, permessageDeflate } from '../index.js'
import { UsageError } from './io.js'
import { flag, list, text, type Values } from './options.js'
import type { Notes } from './terminal.js'

/** Options for the target and the way to connect to it. */
export const TARGET_OPTIONS = {
  header: list("'NAME: VALUE'", 'a header field of the request'),
  auth: text('USER:PASSWORD', 'log in with these (HTTP Basic)', readCredentials),
  location: flag('follow redirects, up to 10 of them', 'L'),
  proxy: text('URL', "an HTTP proxy, or 'environment' to use HTTPS_PROXY, HTTP_PROXY and NO_PROXY"),
  http2: flag('HTTP/2 (RFC 8441) for wss: if the server supports it'),
  ca: text('FILE', 'certificates (PEM) of authorities to trust instead of the default ones'),
  cert: text('FILE', 'the certificate (PEM) of this client; needs --key'),
  key: text('FILE', 'its private key (PEM)'),
  passphrase: text('TEXT', 'of an encrypted key'),
  insecure: flag("do not check the server's certificate: an attacker may be in between")
}

export const CLIENT_OPTIONS = {
  protocol: list('NAME', 'a subprotocol to offer'),
  origin: text('ORIGIN', 'the Origin field, like that of a page'),
  compress: flag('offer permessage-deflate (RFC 7692)'),
  ...TARGET_OPTIONS
}

/** @throws UsageError if a value is invalid */
export function targetOptions(values: Values<typeof TARGET_OPTIONS>, notes: Notes): ConnectOptions {
  const { header, auth, location, proxy, http2, ca, insecure } = values
  if (insecure) notes.warn('the certificate is not verified: an attacker can read and change all messages')
  const tls = {
    ...(ca !== undefined && { ca: readCertificates(ca) }),
    ...(insecure && { rejectUnauthorized: false })
  }
  const headers = header.map(readHeader)
  if (auth !== undefined) headers.push(['Authorization', `Basic ${Buffer.from(auth).toString('base64')}`])
  const maxRedirects = location ? MAX_REDIRECTS : 0
  return { headers, proxy, http2, maxRedirects, tls: { ...tls, ...identity(values) }, proxyTls: tls }
}

const MAX_REDIRECTS = 10

/** The client's own certificate, which is not sent to a proxy. @throws UsageError if its files do not match */
function identity({
  cert,
  key,
  passphrase
}: Pick<Values<typeof TARGET_OPTIONS>, 'cert' | 'key' | 'passphrase'>): object {
  if (cert === undefined && key === undefined && passphrase === undefined) return {}
  if (cert === undefined || key === undefined) throw new UsageError('--cert and --key go together')
  const files = { cert: readFile(cert), key: readFile(key), ...(passphrase !== undefined && { passphrase }) }
  try {
    createSecureContext(files)
  } catch (error) {
    throw new UsageError(`${cert} and ${key} are not a certificate and its key: ${(error as Error).message}`)
  }
  return files
}

function readCredentials(given: string): string {
  if (given.indexOf(':') > 0) return given
  throw new UsageError(`--auth needs USER:PASSWORD, not '${given}'`)
}

/** @throws UsageError if a value is invalid */
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
  // TLS accepts any bytes, and would then trust no certificate
  if (!bytes.includes('-----BEGIN')) throw new UsageError(`there is no certificate in ${path}`)
  return bytes
}

/** @throws UsageError if it cannot be read */
export function readFile(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${(error as Error).message}`)
  }
}

/** @throws UsageError if it is not a WebSocket URL */
export function checkUrl(given: string): string {
  if (/^ws\+unix:/i.test(given)) return given
  const scheme = /^([a-z][a-z\d+.-]*):\/\//i.exec(given)?.[1]
  if (scheme === undefined) throw new UsageError(`'${given}' has no scheme; did you mean ws://${given} ?`)
  if (!/^(wss?|https?)$/i.test(scheme)) {
    throw new UsageError(`the scheme of a URL must be ws, wss, http, https or ws+unix, not ${scheme}`)
  }
  return given
}

/** Calls a function that checks options, and turns its errors into UsageErrors. @throws UsageError */
export function checked<T>(run: () => T): T {
  try {
    return run()
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}
