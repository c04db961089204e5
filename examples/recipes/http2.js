// WebSockets on a server that speaks HTTP/2 and HTTP/1.1 on the same port. Browsers then open them as streams of the connection that
// loaded the page (RFC 8441); clients without HTTP/2 upgrade as usual. The handler is the same for both.
//
//   KEY=key.pem CERT=cert.pem node examples/recipes/http2.js

import { readFileSync } from 'node:fs'
import { createSecureServer } from 'node:http2'
import { acceptWebSockets } from 'websocket-duplex'

export const server = createSecureServer(
  { key: readFileSync(process.env.KEY), cert: readFileSync(process.env.CERT), allowHTTP1: true },
  (request, response) => response.end(`hello over HTTP/${request.httpVersion}\n`)
)

export const acceptor = acceptWebSockets(server, { path: '/echo' }, ws => {
  ws.text(`this is ${ws.version}`) // 'rfc8441' or 'hybi-13'
  ws.messages.pipe(ws.messages)
})
acceptor.on('error', (error, request) => console.error(request.url, error))

server.listen(process.env.PORT ?? 8443, '127.0.0.1', () => {
  console.log(`https://localhost:${server.address().port}/`)
})

process.once('SIGTERM', async () => {
  server.close()
  await acceptor.close({ timeout: 5000 })
  // sessions of HTTP/2 would stay open for further requests
  process.exit()
})
