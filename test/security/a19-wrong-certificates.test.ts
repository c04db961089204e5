// A19: `wss:` to a server whose certificate is self-signed, or another server's, directly and through a proxy, on HTTP/1.1 and HTTP/2.

import t, { type Test } from 'tap'
import { type ConnectOptions, connect } from '../../lib/index.js'
import { proxy, serve } from '../net/servers.js'
import { AUTHORITY, type Certificate, LOCALHOST, OTHER, SELF_SIGNED } from '../support/certificates.js'
import { answerHead } from '../support/raw-peer.js'
import { rejection } from '../websocket-stream/sides.js'
import { TO_THIS_MACHINE } from './support.js'

const TRUST = { ca: AUTHORITY }
const WAYS = ['directly', 'through a proxy', 'through a proxy with TLS'] as const

async function optionsFor(t: Test, way: (typeof WAYS)[number]): Promise<ConnectOptions> {
  const socket = TO_THIS_MACHINE
  if (way === 'directly') return { socket }
  const { port } = await proxy(t, way === 'through a proxy' ? {} : { tls: LOCALHOST })
  const scheme = way === 'through a proxy' ? 'http' : 'https'
  return { socket, proxy: `${scheme}://localhost:${port}`, proxyTls: TRUST }
}

/** A server with this certificate, and all data that it received inside TLS. */
async function server(t: Test, certificate: Certificate): Promise<{ port: number; heard: string[] }> {
  const heard: string[] = []
  const port = await serve(
    t,
    async peer => {
      const head = await peer.head()
      heard.push(head.text)
      peer.write(answerHead(head))
    },
    certificate
  )
  return { port, heard }
}

const UNDEFINED = { rejectUnauthorized: undefined } as unknown as NonNullable<ConnectOptions['tls']>
const CASES: [name: string, certificate: Certificate, tls: ConnectOptions['tls']][] = [
  ['nobody signed', SELF_SIGNED, undefined],
  ['nobody signed, and no empty option changes that', SELF_SIGNED, UNDEFINED],
  ['an unknown authority signed', LOCALHOST, undefined],
  ['is for another name', OTHER, TRUST],
  ['is for another name, and no empty option changes that', OTHER, { ...TRUST, ...UNDEFINED }]
]

for (const way of WAYS) {
  for (const [name, certificate, tls] of CASES) {
    for (const http2 of [false, true]) {
      t.test(`${way}, ${http2 ? 'HTTP/2' : 'HTTP/1.1'}: one that ${name} is refused`, async t => {
        const { port, heard } = await server(t, certificate)
        const ws = connect(`wss://u:p@localhost:${port}/`, { ...(await optionsFor(t, way)), tls, http2 })
        ws.text('secret')
        t.match(await rejection(ws.opened), { name: 'HandshakeError', code: 'WS_ERR_CONNECTION_LOST' })
        t.match(await ws.whenClosed(), { code: 1006 })
        t.same(heard, [], 'nothing was said to it')
      })
    }
  }

  t.test(`${way}: it is accepted only with rejectUnauthorized: false, or with its authority`, async t => {
    for (const [certificate, tls] of [
      [SELF_SIGNED, { rejectUnauthorized: false }],
      [LOCALHOST, TRUST]
    ] as const) {
      const { port, heard } = await server(t, certificate)
      const ws = connect(`wss://localhost:${port}/`, { ...(await optionsFor(t, way)), tls })
      await ws.opened
      t.equal(heard.length, 1)
      ws.destroy()
      await ws.whenClosed()
    }
  })
}

t.test('a proxy with the certificate of another is refused before it gets a password', async t => {
  const { port } = await server(t, LOCALHOST)
  const { port: proxyPort, requests } = await proxy(t, { tls: SELF_SIGNED })
  const ws = connect(`wss://localhost:${port}/`, { tls: TRUST, proxy: `https://u:p@localhost:${proxyPort}` })
  await rejection(ws.opened)
  t.same(requests, [])
  await ws.whenClosed()
})

t.test('the environment does not turn the check off', async t => {
  const { env } = process
  t.teardown(() => {
    process.env = env
  })
  process.env = { ...env, NODE_TLS_REJECT_UNAUTHORIZED: '0' }
  const { port } = await server(t, SELF_SIGNED)
  const ws = connect(`wss://localhost:${port}/`, await optionsFor(t, 'directly'))
  t.match(await rejection(ws.opened), { cause: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' } })
  await ws.whenClosed()
})
