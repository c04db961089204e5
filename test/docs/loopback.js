// Loaded before a program from the documents: any port on which it listens becomes a free one of 127.0.0.1, which is reported to
// its parent, and connections to the named port go there. LOOPBACK_PORTS has the ports of programs that already run. Connecting to
// anything else is an error, and so is looking up a name: the hosts that the documents name do not exist.

import dns from 'node:dns'
import net from 'node:net'

/** The ports that the programs name, and the real ones. */
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
  // net.connect has already normalised its arguments: an array of options and callback
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
