// npm's `websocket-driver` with npm's `permessage-deflate`, as an echo in either role.

import { createRequire } from 'node:module'
import type { Duplex } from 'node:stream'
import type { UpgradeRequest } from '../../../lib/index.js'
import type { Agreed, Echo } from '../compressed-talk.js'

/** The part of `websocket-driver` that is used here; it has no types. */
interface Driver {
  io: Duplex
  on<E extends keyof Events>(event: E, listener: (event: Events[E]) => void): void
  addExtension(extension: object): void
  start(): boolean
  text(message: string): boolean
  binary(message: Buffer): boolean
  ping(payload: string, answered: () => void): boolean
}

interface Events {
  message: { data: string | Buffer }
  error: Error
  close: unknown
}

interface Options {
  noContextTakeover?: boolean
  maxWindowBits?: number
  requestNoContextTakeover?: boolean
  requestMaxWindowBits?: number
}

const require = createRequire(import.meta.url)
const { http, client }: { http(request: UpgradeRequest): Driver; client(url: string): Driver } =
  require('websocket-driver')
const deflate: { configure(options: Options): object } = require('permessage-deflate')

/** Its options for an agreement, as seen from its side. */
export function driverOptions(role: 'server' | 'client', agreed: Agreed): Options {
  const { serverBits, clientBits, serverTakeover, clientTakeover } = agreed
  const isServer = role === 'server'
  return {
    maxWindowBits: isServer ? serverBits : clientBits,
    requestMaxWindowBits: isServer ? clientBits : serverBits,
    noContextTakeover: isServer ? !serverTakeover : !clientTakeover,
    requestNoContextTakeover: isServer ? !clientTakeover : !serverTakeover
  }
}

/** Serves one request. */
export function serve(request: UpgradeRequest, socket: Duplex, head: Buffer, options: Options): Echo {
  const driver = http(request)
  driver.io.write(head)
  return echo(driver, socket, options)
}

/** Opens a connection on a socket. */
export function open(url: string, socket: Duplex, options: Options): Echo {
  return echo(client(url), socket, options)
}

function echo(driver: Driver, socket: Duplex, options: Options): Echo {
  const seen: Echo = { pings: 0, pongs: 0, errors: [] }
  driver.addExtension(deflate.configure(options))
  driver.on('error', error => seen.errors.push(error.message))
  driver.on('close', () => socket.end())
  driver.on('message', ({ data }) => {
    if (typeof data === 'string') driver.text(data)
    else driver.binary(data)
    driver.ping(`number ${++seen.pings}`, () => seen.pongs++)
  })
  socket.pipe(driver.io).pipe(socket)
  driver.start()
  return seen
}
