// Certificates signed by an authority of the tests: see certificates/make.sh.

import { readFileSync } from 'node:fs'

export interface Certificate {
  cert: string
  key: string
}

const read = (file: string): string => readFileSync(new URL(`certificates/${file}.pem`, import.meta.url), 'utf8')

function certificate(name: string): Certificate {
  return { cert: read(name), key: read(`${name}-key`) }
}

/** The certificate that a client has to trust. */
export const AUTHORITY = read('ca')
/** For localhost, 127.0.0.1 and ::1. */
export const LOCALHOST = certificate('localhost')
/** For other.example. */
export const OTHER = certificate('other')
/** For localhost and 127.0.0.1, self-signed. */
export const SELF_SIGNED = certificate('self-signed')
/** A client's certificate. */
export const CLIENT = certificate('client')
