// The package in a browser: bundled as an application would bundle it, with the default settings of the bundler for browsers. It is client and
// server in a page of Chromium, over wires that a page can make.

import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { type BuildOptions, build } from 'esbuild'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { launchBrowser } from '../support/browser.js'

const path = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

const clean = (code: number, reason = '') => ({
  client: { code, reason, wasClean: true, initiator: 'local' },
  server: { code, reason, wasClean: true, initiator: 'peer' }
})

/** The result of each conversation of page.js, over any wire. */
const EXPECTED: Record<string, unknown> = {
  handshake: {
    version: 'hybi-13',
    protocol: 'chat',
    status: 101,
    url: '/chat?a=b',
    host: 'localhost',
    ended: clean(1000)
  },
  text: { same: Array(7).fill(true), ended: clean(1000) },
  binary: { same: Array(7).fill(true), ended: clean(1000) },
  fragments: { text: 'Grüße 😀', ended: clean(1000) },
  streams: {
    streams: [
      ['text', 'whole'],
      ['binary', 2 ** 20]
    ],
    ended: clean(1000)
  },
  pings: { payloads: ['abc'], times: [true, true], ended: clean(1000) },
  close: { ended: clean(4001, 'schönen Abend') },
  endOfMessages: { received: ['last'], ended: clean(1000) },
  faults: {
    unmasked: { code: 'WS_ERR_EXPECTED_MASK', closeCode: 1002, wasClean: false },
    masked: { code: 'WS_ERR_UNEXPECTED_MASK', closeCode: 1002, wasClean: false },
    'not UTF-8': { code: 'WS_ERR_INVALID_UTF8', closeCode: 1007, wasClean: false },
    'not UTF-8, masked': { code: 'WS_ERR_INVALID_UTF8', closeCode: 1007, wasClean: false },
    'not UTF-8, in a fragment': { code: 'WS_ERR_INVALID_UTF8', closeCode: 1007, wasClean: false },
    'not UTF-8, in a reason': { code: 'WS_ERR_INVALID_UTF8', closeCode: 1007, wasClean: false }
  },
  refusal: { code: 'WS_ERR_UNEXPECTED_STATUS', status: 403, body: 'nö' },
  backpressure: { waited: true, held: true, all: true, ended: clean(1000) }
}

const WIRES = { pair: 'a pair of streams in memory', ports: 'two MessagePorts' }

t.test('in a page of Chromium', async t => {
  if (!existsSync(path('../../dist/browser.js'))) return t.fail('needs dist: npm run build')
  const browser = await launchBrowser(t)
  if (browser === undefined) return
  const page = await browser.newPage()
  const complaints: string[] = []
  page.on('pageerror', error => complaints.push(error.message))
  page.on('console', message => ['error', 'warning'].includes(message.type()) && complaints.push(message.text()))
  await page.addScriptTag({ content: await bundle({ entryPoints: [path('page.js')], format: 'iife' }) })
  t.strictSame(await page.evaluate('constants'), [1000, 1])
  t.strictSame(await page.evaluate('names'), Object.keys(EXPECTED))
  for (const [wire, words] of Object.entries(WIRES)) await t.test(`over ${words}`, t => converse(t, page, wire))
  t.strictSame(complaints, [], 'the page ran without errors')
})

async function converse(t: Test, page: Page, wire: string): Promise<void> {
  for (const [name, expected] of Object.entries(EXPECTED)) {
    t.strictSame(await page.evaluate(`converse('${name}', '${wire}')`), expected, name)
  }
}

t.test('the bundle contains nothing of Node, and stays small', async t => {
  const contents = "export * from 'websocket-duplex'"
  const stdin = { contents, resolveDir: path('.') }
  for (const [words, external, most] of [
    ['alone', ['readable-stream', 'websocket-extensions', 'buffer', 'process'], 188],
    ['with its dependencies', [], 314]
  ] as const) {
    const code = await bundle({ stdin, external: [...external], format: 'esm' })
    const kib = code.length / 1024
    t.notMatch(code, /(?:from|require\()\s*["']node:/, `${words}: no module of Node`)
    t.ok(
      kib < most,
      `${words}: ${kib.toFixed(1)} KiB, ${(gzipSync(code, { level: 9 }).length / 1024).toFixed(1)} with gzip`
    )
  }
})

/** Bundles with the default settings: a warning or a missing module is an error here. */
async function bundle(options: BuildOptions): Promise<string> {
  const { outputFiles, warnings } = await build({
    ...options,
    bundle: true,
    minify: true,
    platform: 'browser',
    write: false,
    logLevel: 'silent'
  })
  if (warnings.length > 0) throw new Error(warnings.map(({ text }) => text).join('\n'))
  return outputFiles![0]!.text
}
