// Node's zlib. No browser has one that can be flushed, so what knows this file is not in the entry for browsers.

export { constants, createDeflateRaw, createInflateRaw, type DeflateRaw, deflateRawSync } from 'node:zlib'
