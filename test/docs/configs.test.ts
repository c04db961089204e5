// The configurations of nginx and haproxy in docs/deploying.md, with free ports filled in: connections pass through them, and
// the server learns the address of the client.

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { acceptWebSockets, connect } from '../../lib/index.js'
import { type Front, HAPROXY, NGINX, startFront } from '../interop/fronts.js'
import { findCommand, needPeer } from '../support/peers.js'

const GUIDE = readFileSync(fileURLToPath(new URL('../../docs/deploying.md', import.meta.url)), 'utf8')

function configOf(name: string, port: number, backend: number): string {
  const [, text = ''] = new RegExp(`<!-- config: ${name} -->\\s+\`\`\`\\w+\\n([^\`]+)\`\`\``).exec(GUIDE) ?? []
  if (text === '') throw new Error(`docs/deploying.md has no configuration of ${name}`)
  return text
    .replace(/listen 80;/, `listen 127.0.0.1:${port};`)
    .replace(/bind :80/, `bind 127.0.0.1:${port}`)
    .replaceAll('127.0.0.1:8080', `127.0.0.1:${backend}`)
}

/** The rest of the configuration around the part that the guide shows. */
function nginxAround(inner: string, folder: string): string {
  const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    kind => `${kind}_temp_path ${folder}/${kind};`
  )
  return `daemon off; master_process off; pid ${folder}/pid; events { worker_connections 64; }
http { access_log off; ${folders.join(' ')} ${inner} }`
}

const FRONTS: Front[] = [
  { ...NGINX, config: ({ port, backend, folder }) => nginxAround(configOf('nginx', port, backend), folder) },
  { ...HAPROXY, config: ({ port, backend }) => configOf('haproxy', port, backend) }
]

for (const front of FRONTS) {
  t.test(`connections pass through ${front.name} as configured in docs/deploying.md`, async t => {
    const command = needPeer(t, findCommand(front.name), front.debianPackage)
    if (command === undefined) return
    const server = http.createServer((_request, response) => response.end('ready'))
    const acceptor = acceptWebSockets(server, {}, (ws, { headers }) => {
      ws.text(String(headers['x-forwarded-for']))
      ws.discardMessages()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.teardown(async () => {
      await acceptor.close({ timeout: 100 })
      server.close()
      server.closeAllConnections()
    })
    const { port: backend } = server.address() as AddressInfo
    const { port } = await startFront(t, command, front, { from: 'http', to: 'http', backend })
    const ws = connect(`ws://127.0.0.1:${port}/`)
    t.same(await once(ws, 'message'), ['127.0.0.1'])
    t.match(await ws.close(1000, 'seen'), { code: 1000, wasClean: true })
  })
}
