// Loaded before a program from the documents: whatever port it listens on becomes a free one of 127.0.0.1, of which its parent is
// told, and whoever connects to that port is taken there. LOOPBACK_PORTS has the ports of programs that run already. To connect to
// anything else is an error, and so is to look up a name: the documents name hosts that are not there.

import dns from 'node:dns'
import net from 'node:net'

/** Ports as the programs name them, and where they are. */
const ports = new Map(Object.entries(JSON.parse(process.env.LOOPBACK_PORTS ?? '{}')))

const { listen } = net.Server.prototype
net.Server.prototype.listen = function (...args) {
  const [first] = args
  const port = typeof first === 'object' && first !== null ? first.port : first
  // a unix socket, or a handle
  if (port === undefined || (typeof port === 'string' && !/^\d+$/.test(port))) return listen.apply(this, args)
  const callback = args.find(arg => typeof arg === 'function')
  this.once('listening', () => {
    const { port: actual } = this.address()
    ports.set(String(port), actual)
    ports.set(String(actual), actual)
    process.send?.({ [port]: actual })
  })
  return listen.call(this, 0, '127.0.0.1', callback)
}

const { connect } = net.Socket.prototype
net.Socket.prototype.connect = function (...args) {
  // net.connect has put its arguments in order already: an array of options and callback
  const [first, ...rest] = Array.isArray(args[0]) ? args[0] : args
  const isObject = typeof first === 'object' && first !== null
  if (isObject ? first.path : typeof first === 'string' && !/^\d+$/.test(first)) return connect.apply(this, args)
  const asked = isObject ? first.port : first
  const port = ports.get(String(asked))
  if (port === undefined) throw new Error(`no block listens on port ${asked}`)
  const callback = rest.find(arg => typeof arg === 'function')
  return connect.call(this, { ...(isObject ? first : {}), port, host: '127.0.0.1', lookup: undefined }, callback)
}

const { lookup } = dns
dns.lookup = function (name, ...rest) {
  refuse(name)
  return lookup.call(this, name, ...rest)
}
const { lookup: promised } = dns.promises
dns.promises.lookup = async function (name, options) {
  refuse(name)
  return promised.call(this, name, options)
}

function refuse(name) {
  if (name !== 'localhost' && net.isIP(name) === 0) throw new Error(`names are not looked up here: ${name}`)
}
