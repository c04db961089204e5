// The implementations of the matrix: where each comes from, how its program is started, what it does not support, and its known
// differences. Starts nothing itself but a compiler.

import { type ExecFileSyncOptions, execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { findChromium, findPython } from '../../support/peers.js'
import type { CheckName } from './checks.js'
import { DIFFERENCES, type Difference } from './differences.js'
import type { PeerRole, Program } from './examine.js'

/** Where things are. */
export interface Place {
  /** The programs of the peers. */
  programs: string
  /** Compiled programs, and a `node_modules` with npm packages that are not dependencies. */
  cache: string
}

export interface Peer {
  name: string
  roles: readonly PeerRole[]
  /** Packages of npm it needs. */
  npm?: readonly string[]
  /** Packages of Debian it needs. */
  debian?: readonly string[]
  /** What it does not support, and why. */
  lacks: Partial<Record<CheckName, string>>
  differences: readonly Difference[]
  /** Its program; undefined if it is not installed. */
  find(place: Place): Program | undefined
}

const BOTH = ['server', 'client'] as const
const PAGE = 'the browser WebSocket API has no method for it (WHATWG)'
const NO_DEFLATE = 'it has no permessage-deflate'
const noDeflate = { deflate: NO_DEFLATE, plainer: NO_DEFLATE }
const WHOLE = 'it sends each message in one frame'

export const PEERS: readonly Peer[] = [
  node('ws', { roles: BOTH, npm: ['ws@8'] }),
  node('undici', { roles: ['client'], npm: ['undici@7'], lacks: { pieces: PAGE } }),
  node('websocket', { roles: BOTH, npm: ['websocket'], lacks: noDeflate }),
  node('websocket-driver', { roles: BOTH, npm: ['websocket-driver', 'permessage-deflate'], lacks: { pieces: WHOLE } }),
  node('faye-websocket', { roles: BOTH, npm: ['faye-websocket', 'permessage-deflate'], lacks: { pieces: WHOLE } }),
  peer('Bun', {
    roles: BOTH,
    npm: ['bun'],
    lacks: { pieces: WHOLE },
    find: place => runtime(place, ['@oven/bun-linux-x64/bin/bun', 'bun/bin/bun.exe'], ['run'], 'bun.js')
  }),
  peer('Deno', {
    roles: BOTH,
    npm: ['deno'],
    lacks: { pieces: PAGE, pongs: PAGE, ...noDeflate },
    find: place => runtime(place, ['@deno/linux-x64-glibc/deno'], ['run', '-A', '--no-lock', '--no-check'], 'deno.js')
  }),
  peer('Chromium', {
    roles: ['client'],
    debian: ['chromium'],
    lacks: { pieces: PAGE, pongs: PAGE },
    find: place => browser(place, 'chromium', findChromium())
  }),
  peer('Firefox', {
    roles: ['client'],
    debian: ['firefox-esr'],
    lacks: { pieces: PAGE, pongs: PAGE },
    find: place => browser(place, 'firefox', onPath('firefox-esr') ?? onPath('firefox'))
  }),
  python('websockets', 'websockets', { roles: BOTH, debian: ['python3-websockets'] }),
  python('wsproto', 'wsproto', { roles: BOTH, debian: ['python3-wsproto'] }),
  python('aiohttp', 'aiohttp', { roles: BOTH, debian: ['python3-aiohttp'], lacks: { pieces: WHOLE } }),
  python('hypercorn', 'hypercorn', {
    roles: ['server'],
    debian: ['python3-hypercorn'],
    lacks: { pieces: 'ASGI has no fragments', pongs: 'ASGI has no pings' }
  }),
  peer('websocket-driver for Ruby', {
    roles: BOTH,
    debian: ['ruby', 'ruby-websocket-driver'],
    lacks: { pieces: WHOLE, ...noDeflate },
    find: place => script(place, onPath('ruby'), ['-e', "require 'websocket/driver'"], 'websocket_driver.rb')
  }),
  peer('Mojolicious', {
    roles: BOTH,
    debian: ['libmojolicious-perl'],
    lacks: {},
    find: place => script(place, onPath('perl'), ['-MMojolicious', '-e1'], 'mojolicious.pl')
  }),
  peer('gorilla/websocket', {
    roles: BOTH,
    debian: ['golang-go', 'golang-github-gorilla-websocket-dev'],
    lacks: {},
    find: place => go(place, 'github.com/gorilla/websocket', 'gorilla')
  }),
  peer('nhooyr.io/websocket', {
    roles: BOTH,
    debian: ['golang-go', 'golang-nhooyr-websocket-dev'],
    lacks: {},
    find: place => go(place, 'nhooyr.io/websocket', 'nhooyr')
  }),
  peer('libwebsockets', {
    roles: BOTH,
    debian: ['gcc', 'libc6-dev', 'libwebsockets-dev'],
    lacks: {},
    find: compileC
  }),
  java('Tomcat', ['tomcat10-embed-core', 'tomcat10-embed-websocket', 'tomcat10-annotations-api'], {
    roles: BOTH,
    debian: ['default-jdk-headless', 'libtomcat10-embed-java', 'libtomcat10-java'],
    lacks: {}
  })
]

type Facts = Pick<Peer, 'roles' | 'npm' | 'debian'> & Partial<Pick<Peer, 'lacks'>>

function peer(name: string, facts: Facts & Pick<Peer, 'find'>): Peer {
  return { lacks: {}, differences: DIFFERENCES[name] ?? [], ...facts, name }
}

/** A package of npm, run by the Node of this process. */
function node(name: string, facts: Facts): Peer {
  const packages = (facts.npm ?? []).map(spec => spec.replace(/@\d+$/, ''))
  return peer(name, {
    ...facts,
    find: ({ programs, cache }) => {
      const found = (each: string) => upwards(cache).some(folder => existsSync(join(folder, 'node_modules', each)))
      return packages.every(found) ? { command: process.execPath, args: [join(programs, `${name}.js`)] } : undefined
    }
  })
}

function python(name: string, module: string, facts: Facts): Peer {
  return peer(name, {
    ...facts,
    find: ({ programs }) => {
      const command = findPython(module)
      // no bytecode files beside the sources
      return command === undefined ? undefined : { command, args: ['-B', join(programs, `${name}_echo.py`)] }
    }
  })
}

function java(name: string, jars: readonly string[], facts: Facts): Peer {
  const paths = jars.map(jar => `/usr/share/java/${jar}.jar`)
  return peer(name, {
    ...facts,
    find: ({ programs }) => {
      const command = onPath('java')
      if (command === undefined || onPath('javac') === undefined || !paths.every(existsSync)) return undefined
      return { command, args: ['-Xshare:auto', '-cp', paths.join(':'), join(programs, `${name}.java`)] }
    }
  })
}

function runtime({ programs, cache }: Place, binaries: string[], args: string[], program: string): Program | undefined {
  const command = binaries.map(binary => join(cache, 'node_modules', binary)).find(existsSync)
  return command === undefined ? undefined : { command, args: [...args, join(programs, program)] }
}

/** A browser, which a program for Node starts and controls. */
function browser({ programs }: Place, kind: string, command: string | undefined): Program | undefined {
  if (command === undefined) return undefined
  return { command: process.execPath, args: [join(programs, 'browser.js'), kind, command] }
}

/** A program for an interpreter, if `probe` reports that its requirements are installed. */
function script({ programs }: Place, command: string | undefined, probe: string[], file: string): Program | undefined {
  if (command === undefined || !succeeds(command, probe)) return undefined
  return { command, args: [join(programs, file)] }
}

/** Debian installs Go's libraries as sources in one tree. */
function go({ programs, cache }: Place, library: string, name: string): Program | undefined {
  const tree = '/usr/share/gocode'
  const command = onPath('go')
  if (command === undefined || !existsSync(join(tree, 'src', library))) return undefined
  const sources = [join(programs, `${name}.go`), join(programs, 'echo.go')]
  const env = { ...process.env, GO111MODULE: 'off', GOPATH: tree, GOFLAGS: '-buildvcs=false' }
  return compile(cache, name, sources, binary => [command, ['build', '-o', binary, ...sources], { env }])
}

function compileC({ programs, cache }: Place): Program | undefined {
  const command = onPath('cc') ?? onPath('gcc')
  if (command === undefined || !existsSync('/usr/include/libwebsockets.h')) return undefined
  const source = join(programs, 'libwebsockets.c')
  return compile(cache, 'libwebsockets', [source], binary => [command, ['-o', binary, source, '-lwebsockets'], {}])
}

type Compilation = (binary: string) => [command: string, args: string[], options: ExecFileSyncOptions]

/** Compiles sources that are newer than their output. */
function compile(cache: string, name: string, sources: string[], how: Compilation): Program {
  const binary = join(cache, name)
  mkdirSync(cache, { recursive: true })
  const made = statSync(binary, { throwIfNoEntry: false })?.mtimeMs ?? 0
  if (sources.some(source => statSync(source).mtimeMs > made)) {
    const [command, args, options] = how(binary)
    execFileSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'], ...options })
  }
  return { command: binary, args: [] }
}

function onPath(name: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(':').filter(folder => folder !== '')
  return folders.map(folder => join(folder, name)).find(existsSync)
}

function succeeds(command: string, args: string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore', timeout: 20_000 })
    return true
  } catch {
    return false
  }
}

function upwards(folder: string): string[] {
  const above = dirname(folder)
  return above === folder ? [folder] : [folder, ...upwards(above)]
}
