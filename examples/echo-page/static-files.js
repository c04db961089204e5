// Serves the page's files. A fixed list, read once: the path of a request never reaches the file system.

import { readFileSync } from 'node:fs'

const FILES = new Map([
  ['/', file('index.html', 'text/html')],
  ['/style.css', file('style.css', 'text/css')],
  ...['page.js', 'feed.js', 'echo.js', 'flood.js', 'log.js', 'plot.js'].map(name => [
    `/${name}`,
    file(name, 'text/javascript')
  ])
])

const HEADERS = {
  // only our own files, and connections only to the page's own server; `data:` is the empty icon of the page
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'"
  ].join('; '),
  'Content-Type': 'text/plain; charset=utf-8',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-store'
}

export function serveFile(request, response) {
  const reads = request.method === 'GET' || request.method === 'HEAD'
  if (!reads) return answer(response, 405, 'GET only\n', { Allow: 'GET, HEAD' })
  const [path] = request.url.split('?')
  const found = FILES.get(path)
  if (!found) return answer(response, 404, 'not found\n')
  answer(response, 200, found.body, { 'Content-Type': found.type })
}

/** Also for HEAD: Node omits the body. */
function answer(response, status, body, headers) {
  response.writeHead(status, { ...HEADERS, 'Content-Length': Buffer.byteLength(body), ...headers })
  response.end(body)
}

function file(name, type) {
  return { type: `${type}; charset=utf-8`, body: readFileSync(new URL(`public/${name}`, import.meta.url)) }
}
