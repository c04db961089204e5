// The echo servers by name, and how each is started.

import { child, failures } from '../harness.js'

const servers = {
  'ours: event, attach': ['ours.js', ['event', 'attach']],
  'ours: messages, attach': ['ours.js', ['messages', 'attach']],
  'ours: messages, pipes': ['ours.js', ['messages', 'pipes']],
  'ours: messages read, attach': ['ours.js', ['read', 'attach']],
  'ours: messages read, pipes': ['ours.js', ['read', 'pipes']],
  'ours: event, attach, TLS': ['ours.js', ['event', 'attach', 'tls']],
  'ours: messages, pipes, TLS': ['ours.js', ['messages', 'pipes', 'tls']],
  'ours: event, HTTP/2': ['http2.js', ['event']],
  'ours: messages, pipes, HTTP/2': ['http2.js', ['pipes']],
  'ours: event, HTTP/2, TLS': ['http2.js', ['event', 'tls']],
  'ours: event, HTTP/1.1': ['ours.js', ['event', 'attach']],
  'ours: event, HTTP/1.1, TLS': ['ours.js', ['event', 'attach', 'tls']],
  'bare stream, HTTP/2': ['http2.js', ['raw']],
  'hypercorn, HTTP/2': ['hypercorn_echo.py', [], 'hypercorn'],
  'ours: event, attach, raw': ['ours.js', ['event', 'attach', 'raw']],
  ws: ['ws.js'],
  'ws, TLS': ['ws.js', ['tls']],
  'ws again': ['ws.js'],
  'ws: ours': ['ws.js', ['ours']],
  'websocket-driver': ['websocket-driver.js'],
  'websocket-driver: ours': ['websocket-driver.js', ['ours']],
  'faye-websocket': ['faye-websocket.js'],
  'faye-websocket on ours': ['faye-websocket.js', ['ours']],
  websocket: ['websocket.js'],
  bun: ['bun.js', [], 'bun'],
  deno: ['deno.js', [], 'deno'],
  'bare socket': ['bare.js'],
  'ours: two processes, cluster': ['clustered.js', ['2', 'ours.js', 'event', 'attach']],
  'ws: two processes, cluster': ['clustered.js', ['2', 'ws.js']]
}

/** A server of that name, listening as `listen` says: its child process, with `port`. */
export async function start(name, { flags, profile, listen } = {}) {
  const [file, args = [], runtime] = servers[name]
  const server = child(name, `./servers/${file}`, args, { runtime, flags: runtime ? [] : flags, profile })
  server.port = await server.ask({ do: 'listen', ...listen })
  return server
}

/** All of them that can be had here. */
export async function startAll(names, options) {
  const started = []
  for (const name of names) {
    try {
      started.push(await start(name, options))
    } catch (error) {
      failures.push(`${name} does not start: ${error.message}`)
    }
  }
  return started
}
