// The files of a folder over HTTP: what is in the folder, and nothing else.

import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { startServer } from './support.js'

const outside = t.testdir({
  'secret.txt': 'secret',
  site: {
    'index.html': '<p>home</p>',
    'page.HTML': 'page',
    'a b%.txt': 'spaces',
    'empty.css': '',
    data: 'bytes',
    '.env': 'hidden',
    '.git': { config: 'hidden' },
    sub: { 'index.html': 'sub' },
    bare: { 'x.js': '1' },
    odd: {}
  }
})
const root = join(outside, 'site')
symlinkSync(join(outside, 'secret.txt'), join(root, 'out.txt'))
symlinkSync(outside, join(root, 'up'))
symlinkSync(join(root, 'data'), join(root, 'in.txt'))
symlinkSync(join(root, '.env'), join(root, 'env.txt'))
symlinkSync(join(root, '.git'), join(root, 'git'))
mkdirSync(join(root, 'odd', 'index.html'))
writeFileSync(`${root}-secret.txt`, 'a neighbour whose name begins alike')

interface Answer {
  status: number
  head: string
  body: string
}

/** Sends the target unchanged; HTTP clients would normalise it. */
function ask(port: number, target: string, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    const chunks: Buffer[] = []
    socket.write(`${method} ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    socket.on('data', chunk => chunks.push(chunk))
    socket.on('error', reject)
    socket.on('end', () => {
      socket.end()
      const [head = '', ...body] = Buffer.concat(chunks).toString().split('\r\n\r\n')
      resolve({ status: Number(head.split(' ')[1]), head, body: body.join('\r\n\r\n') })
    })
  })
}

t.test('over HTTP', async t => {
  const server = await startServer(t, ['serve', root, '--port', '0'])
  const port = Number(new URL(server.url).port)
  t.match(server.stderr.text, `files of ${root} at http://127.0.0.1:${port}/\n`)

  for (const [target, body, type] of [
    ['/', '<p>home</p>', 'text/html; charset=utf-8'],
    ['/?query', '<p>home</p>', 'text/html; charset=utf-8'],
    ['/page.HTML', 'page', 'text/html; charset=utf-8'],
    ['/a%20b%25.txt', 'spaces', 'text/plain; charset=utf-8'],
    ['/empty.css', '', 'text/css; charset=utf-8'],
    ['/data', 'bytes', 'application/octet-stream'],
    ['/in.txt', 'bytes', 'application/octet-stream'],
    ['/sub/', 'sub', 'text/html; charset=utf-8']
  ] as const) {
    t.test(`GET ${target}`, async t => {
      const response = await ask(port, target)
      t.match(response, { status: 200, body })
      t.match(response.head, `Content-Type: ${type}\r\nContent-Length: ${body.length}\r\n`)
      t.match(response.head, 'X-Content-Type-Options: nosniff')
    })
  }

  for (const target of [
    '/none',
    '/secret.txt',
    '/../secret.txt',
    '/sub/../../secret.txt',
    '/%2e%2e/secret.txt',
    '/..%2fsecret.txt',
    '/..%5csecret.txt',
    '/%2e%2e%2fsite-secret.txt',
    '/out.txt',
    '/up/secret.txt',
    '/up/',
    '/.env',
    '/env.txt',
    '/git/config',
    '/.git/config',
    '/%2egit/config',
    '//sub/',
    '/sub//index.html',
    '/./data',
    '/data/',
    '/data%00.txt',
    '/C:/data',
    '/%',
    '/%ff',
    '/bare/',
    '/odd/',
    'http://x/data',
    '*',
    `/${'x'.repeat(5000)}`
  ]) {
    t.test(`GET ${target.slice(0, 50)} is 404`, async t => {
      t.match(await ask(port, target), { status: 404, body: 'Not Found\n' })
    })
  }

  t.test('a folder without a slash redirects to the one with it, on this server', async t => {
    const response = await ask(port, '/sub')
    t.equal(response.status, 308)
    t.match(response.head, '\r\nLocation: ./sub/\r\n')
    t.equal((await ask(port, '//sub')).status, 404)
  })

  t.test('HEAD is GET without the body', async t => {
    const response = await ask(port, '/data', 'HEAD')
    t.match(response, { status: 200, body: '' })
    t.match(response.head, 'Content-Length: 5\r\n')
  })

  t.test('other methods get 405', async t => {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      const response = await ask(port, '/data', method)
      t.equal(response.status, 405, method)
      t.match(response.head, 'Allow: GET, HEAD\r\n')
    }
  })
})
