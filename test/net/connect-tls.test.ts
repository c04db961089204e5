// connect over TLS: which certificates are accepted, for which names, and that nothing is sent to any other server. Each case also
// runs through a proxy, which must not make a difference.

import { once } from 'node:events'
import type { Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { checkServerIdentity, createServer, type PeerCertificate, type TLSSocket, type TlsOptions } from 'node:tls'
import t, { type Test } from 'tap'
import { connect } from '../../lib/net/connect.js'
import type { ConnectOptions } from '../../lib/net/connect-options.js'
import { AUTHORITY, type Certificate, CLIENT, LOCALHOST, OTHER, SELF_SIGNED } from '../support/certificates.js'
import { pattern } from '../support/frames.js'
import { rejection } from '../websocket-stream/sides.js'
import { echo, KINDS, listen, proxy } from './servers.js'

type Tls = NonNullable<ConnectOptions['tls']>

const TRUST = { ca: AUTHORITY }
const WAYS = ['directly', 'through a proxy'] as const

/** Options that connect to `port`, whatever the URL says. */
async function wayTo(t: Test, port: number, way: (typeof WAYS)[number]): Promise<ConnectOptions> {
  if (way === 'through a proxy') return { proxy: `http://127.0.0.1:${(await proxy(t, { redirect: port })).port}` }
  // a caller that asks for one address gets one
  return { socket: { lookup: (_name, _options, callback) => callback(null, '127.0.0.1', 4), autoSelectFamily: false } }
}

for (const way of WAYS) {
  for (const kind of KINDS) {
    t.test(`wss ${way}, to a server of ${kind === 'ws' ? 'ws' : 'our own'}`, async t => {
      const { port } = await echo(t, kind, { tls: { ...LOCALHOST } })
      for (const scheme of ['wss', 'https']) {
        const ws = connect(`${scheme}://localhost:${port}/a`, { ...(await wayTo(t, port, way)), tls: TRUST })
        t.equal(ws.url, `wss://localhost:${port}/a`)
        const large = pattern(300_000)
        ws.messages.write('hello')
        ws.messages.end(large)
        const got: unknown[] = []
        for await (const message of ws.messages) got.push(message)
        t.same(got, ['hello', large])
        t.match(await ws.whenClosed(), { code: 1000, wasClean: true })
      }
    })
  }

  const refused: [name: string, certificate: Certificate, url: string, tls: Tls | undefined, code: string][] = [
    ['nobody signed', SELF_SIGNED, 'wss://localhost', undefined, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    ['an unknown authority signed', LOCALHOST, 'wss://localhost', undefined, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    ['is for another name', OTHER, 'wss://localhost', TRUST, 'ERR_TLS_CERT_ALTNAME_INVALID'],
    ['is for a name, where an address is wanted', OTHER, 'wss://127.0.0.1', TRUST, 'ERR_TLS_CERT_ALTNAME_INVALID'],
    [
      'is for this machine, where another is wanted',
      LOCALHOST,
      'wss://a.example',
      TRUST,
      'ERR_TLS_CERT_ALTNAME_INVALID'
    ],
    [
      'nobody signed, with rejectUnauthorized: undefined',
      SELF_SIGNED,
      'wss://localhost',
      { rejectUnauthorized: undefined } as unknown as Tls,
      'DEPTH_ZERO_SELF_SIGNED_CERT'
    ],
    [
      'is for another name, with checkServerIdentity: undefined',
      OTHER,
      'wss://localhost',
      { ...TRUST, checkServerIdentity: undefined } as unknown as Tls,
      'ERR_TLS_CERT_ALTNAME_INVALID'
    ]
  ]
  for (const [name, certificate, url, tls, code] of refused) {
    t.test(`A19: a certificate that ${name} is refused, ${way}`, async t => {
      const { port, input, gone } = await listenTls(t, certificate)
      const ws = connect(`${url}:${port}/`, { ...(await wayTo(t, port, way)), tls })
      const errors: Error[] = []
      ws.on('error', error => errors.push(error))
      ws.text('secret')
      const error = await rejection(ws.opened)
      t.match(error, { name: 'HandshakeError', code: 'WS_ERR_CONNECTION_LOST', cause: { code } })
      t.match(await ws.whenClosed(), { code: 1006, wasClean: false })
      t.same(errors, [error])
      await gone()
      t.same(input, [], 'the server has seen nothing, not even the request')
    })
  }

  t.test(`A19: NODE_TLS_REJECT_UNAUTHORIZED changes nothing, ${way}`, async t => {
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0'
    t.teardown(() => {
      delete process.env['NODE_TLS_REJECT_UNAUTHORIZED']
    })
    const { port } = await listenTls(t, SELF_SIGNED)
    const ws = connect(`wss://localhost:${port}/`, await wayTo(t, port, way))
    t.match(await rejection(ws.opened), { cause: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' } })
    await ws.whenClosed()
  })

  t.test(`rejectUnauthorized: false is obeyed, ${way}`, async t => {
    const { port } = await echo(t, 'ours', { tls: { ...SELF_SIGNED } })
    const options = { ...(await wayTo(t, port, way)), tls: { rejectUnauthorized: false } }
    const ws = connect(`wss://a.example:${port}/`, options)
    await ws.opened
    ws.close()
    await ws.whenClosed()
  })

  t.test(`the server gets its own name by SNI, and none for an address, ${way}`, async t => {
    const names: [url: string, servername: string | false][] = [
      ['wss://localhost', 'localhost'],
      ['wss://LocalHost', 'localhost'],
      ['wss://localhost.', 'localhost'],
      ['wss://127.0.0.1', false]
    ]
    for (const [url, servername] of names) {
      const { port, sockets } = await listenTls(t, LOCALHOST)
      const ws = connect(`${url}:${port}/`, { ...(await wayTo(t, port, way)), tls: TRUST })
      const socket = await sockets()
      t.same([socket.servername, socket.alpnProtocol], [servername, 'http/1.1'], url)
      ws.destroy()
      await ws.whenClosed()
    }
  })

  t.test(`a server name and a certificate of the application, ${way}`, async t => {
    const asks: TlsOptions = { ...OTHER, requestCert: true, ...TRUST }
    const { port, sockets } = await listenTls(t, asks)
    const tls = { ...TRUST, ...CLIENT, servername: 'other.example', ALPNProtocols: ['http/1.1', 'x'] }
    const ws = connect(`wss://localhost:${port}/`, { ...(await wayTo(t, port, way)), tls })
    const socket = await sockets()
    t.same([socket.servername, socket.authorized], ['other.example', true])
    ws.destroy()
    await ws.whenClosed()
  })

  t.test(`a server that ends the wire during the TLS handshake, ${way}`, async t => {
    const { port, server } = await listenTls(t, LOCALHOST)
    server.removeAllListeners('connection')
    server.on('connection', socket => socket.once('data', () => socket.destroy()))
    const ws = connect(`wss://localhost:${port}/`, { ...(await wayTo(t, port, way)), tls: TRUST })
    t.match(await rejection(ws.opened), { name: 'HandshakeError', status: 0 })
    t.match(await ws.whenClosed(), { code: 1006 })
  })
}

const addresses = Object.values(networkInterfaces()).flatMap(each => each ?? [])
const hasIpv6 = addresses.some(({ address }) => address === '::1')
// Node 22.23 does not
const findsIpv6 =
  checkServerIdentity('::1', { subjectaltname: 'IP Address:0:0:0:0:0:0:0:1' } as PeerCertificate) === undefined
const skip = !hasIpv6 ? 'this machine has no IPv6' : !findsIpv6 && 'this Node finds no IPv6 address in certificates'

t.test('an IPv6 address in a URL', { skip }, async t => {
  const { port, requests } = await echo(t, 'ours', { tls: { ...LOCALHOST }, where: '::1' })
  const ws = connect(`wss://[::1]:${port}/`, { tls: TRUST })
  await ws.opened
  t.equal(requests[0]!.headers.host, `[::1]:${port}`)
  ws.close()
  await ws.whenClosed()
})

/** A TLS server that only listens: the data it received, and its sockets after the TLS handshake. */
async function listenTls(t: Test, options: TlsOptions) {
  const input: Buffer[] = []
  const closes: Promise<unknown>[] = []
  const server = createServer({ ALPNProtocols: ['http/1.1'], ...options }, socket => {
    socket.on('data', chunk => input.push(chunk)).on('error', () => {})
  })
  server.on('connection', (socket: Socket) => closes.push(new Promise(resolve => socket.once('close', resolve))))
  return {
    port: await listen(t, server),
    input,
    server,
    /** Resolves when all input has been processed. */
    gone: () => Promise.all(closes),
    sockets: async () => (await once(server, 'secureConnection'))[0] as TLSSocket
  }
}
