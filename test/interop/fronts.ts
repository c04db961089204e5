// Servers in front of others: nginx, haproxy and nghttpx, each a process for one test, on a free port of the
// loopback, with its files in a temporary folder. Knows their configuration, and nothing of the traffic through them.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { AUTHORITY, LOCALHOST } from '../support/certificates.js'
import { freePort, stopChild, type TestLike, takesCalls } from '../support/peers.js'

/** The configuration of a front. */
export interface Setup {
  /** The protocol of its clients: `h2` offers HTTP/1.1 as well. */
  from: 'http' | 'https' | 'h2' | 'h2c'
  /** The protocol between it and the server. */
  to: 'http' | 'https' | 'h2' | 'h2c'
  /** The port of that server. */
  backend: number
  /** Milliseconds of silence after which it ends a connection. Default: 30000. */
  patience?: number
}

/** Where a front runs. */
interface Site extends Required<Setup> {
  port: number
  folder: string
  /** A certificate with its key, and the authority that signed it. */
  pem: string
  authority: string
}

export interface Front {
  name: string
  /** The Debian package that contains it. */
  debianPackage: string
  config(site: Site): string
  args(file: string, site: Site): string[]
}

const isTls = (kind: Setup['from']): boolean => kind === 'https' || kind === 'h2'

export const NGINX: Front = {
  name: 'nginx',
  debianPackage: 'nginx-light',
  config: ({ port, folder, from, to, backend, patience, pem }) => `
    daemon off;
    master_process off;
    pid ${folder}/pid;
    events { worker_connections 256; }
    http {
      access_log off;
      client_body_temp_path ${folder}/body;
      proxy_temp_path ${folder}/proxy;
      fastcgi_temp_path ${folder}/fastcgi;
      uwsgi_temp_path ${folder}/uwsgi;
      scgi_temp_path ${folder}/scgi;
      map $http_upgrade $onward { default upgrade; '' close; }
      server {
        listen 127.0.0.1:${port}${isTls(from) ? ' ssl' : ''}${from === 'h2' ? ' http2' : ''};
        ${isTls(from) ? `ssl_certificate ${pem}; ssl_certificate_key ${pem};` : ''}
        location / {
          proxy_pass ${isTls(to) ? 'https' : 'http'}://127.0.0.1:${backend};
          proxy_http_version 1.1;
          proxy_buffering off;
          proxy_request_buffering off;
          proxy_set_header Host $http_host;
          proxy_set_header Upgrade $http_upgrade;
          proxy_set_header Connection $onward;
          proxy_read_timeout ${patience}ms;
        }
      }
    }`,
  args: (file, { folder }) => ['-p', folder, '-e', 'stderr', '-c', file]
}

export const HAPROXY: Front = {
  name: 'haproxy',
  debianPackage: 'haproxy',
  config: ({ port, from, to, backend, patience, pem, authority }) => `
global
  nbthread 1
defaults
  mode http
  retries 0
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  timeout tunnel ${patience}ms
frontend in
  bind 127.0.0.1:${port}${haproxyBind(from, pem)}
  default_backend out
backend out
  server ours 127.0.0.1:${backend}${haproxyServer(to, authority)}
`,
  args: file => ['-db', '-f', file]
}

function haproxyBind(from: Setup['from'], pem: string): string {
  if (from === 'h2c') return ' proto h2'
  if (from === 'http') return ''
  return ` ssl crt ${pem} alpn ${from === 'h2' ? 'h2,http/1.1' : 'http/1.1'}`
}

function haproxyServer(to: Setup['to'], authority: string): string {
  if (to === 'h2c') return ' proto h2'
  if (to === 'http') return ''
  const tls = ` ssl verify required ca-file ${authority} sni str(localhost)`
  return to === 'h2' ? `${tls} alpn h2 ws h2` : `${tls} alpn http/1.1`
}

export const NGHTTPX: Front = {
  name: 'nghttpx',
  debianPackage: 'nghttp2-proxy',
  config: ({ port, from, to, backend, patience, pem, authority }) =>
    [
      `frontend=127.0.0.1,${port}${isTls(from) ? '' : ';no-tls'}`,
      `backend=127.0.0.1,${backend};;proto=${to === 'h2' || to === 'h2c' ? 'h2' : 'http/1.1'}${isTls(to) ? ';tls;sni=localhost' : ''}`,
      `private-key-file=${pem}`,
      `certificate-file=${pem}`,
      `cacert=${authority}`,
      `backend-read-timeout=${patience}ms`,
      `backend-write-timeout=${patience}ms`,
      'single-process=yes',
      'errorlog-file=/dev/stderr',
      ''
    ].join('\n'),
  args: file => [`--conf=${file}`]
}

/** A front that is running. */
export interface RunningFront {
  port: number
  /** Ends it, and with it every connection through it. */
  stop(): Promise<void>
}

/** Starts a front, and ends it with the test. */
export async function startFront(t: TestLike, command: string, front: Front, setup: Setup): Promise<RunningFront> {
  // another process may take the port between the moment it was found free and now
  for (let attempt = 1; ; attempt++) {
    const port = await freePort()
    const outcome = await launch(t, command, front, port, setup)
    if ('stop' in outcome) return { port, ...outcome }
    if (attempt === 3) throw new Error(`${front.name} does not listen:\n${outcome.said}`)
  }
}

/** Resolves when it accepts connections, or with its output if it ended. */
async function launch(
  t: TestLike,
  command: string,
  front: Front,
  port: number,
  setup: Setup
): Promise<Omit<RunningFront, 'port'> | { said: string }> {
  const folder = mkdtempSync(join(tmpdir(), `websocket-duplex-${front.name}-`))
  // some drop the privileges with which they were started
  chmodSync(folder, 0o755)
  const pem = write(folder, 'localhost.pem', `${LOCALHOST.cert}${LOCALHOST.key}`)
  const authority = write(folder, 'ca.pem', AUTHORITY)
  const site: Site = { patience: 30_000, ...setup, port, folder, pem, authority }
  const file = write(folder, 'config', front.config(site))
  const child = spawn(command, front.args(file, site), { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', text => {
    said += text
  })
  let hasEnded = false
  const ended = once(child, 'close').finally(() => {
    hasEnded = true
  })
  ended.catch(error => {
    said += error
  })
  // if the test run is killed, there is no teardown
  const kill = (): void => void child.kill('SIGKILL')
  process.once('exit', kill)
  const stop = async (): Promise<void> => {
    await stopChild(child, ended)
    process.off('exit', kill)
  }
  t.teardown(async () => {
    await stop()
    rmSync(folder, { recursive: true, force: true })
  })
  // they have no common way to report that they are ready
  while (!hasEnded && !(await takesCalls(port))) await sleep(10)
  return hasEnded ? { said } : { stop }
}

function write(folder: string, name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}
