// Chromium: the WebSocket of a real browser against our server, and the page that `npm start` shows.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import ts from 'typescript'
import { launchBrowser } from '../support/browser.js'
import { stopChild, type TestLike } from '../support/peers.js'
import { ALL, agree, describe, plansUpTo, SMALL } from './agreement.js'
import { pathOf, type Report } from './converse.js'
import { type Join, listen, listenOnLoopback, type Mode } from './our-side.js'
import { SCRIPT } from './script.js'

const SERVERS: [Mode, Join, number][] = [
  ['http', 'pipe', SMALL],
  ['raw', 'attach', ALL]
]

const PAGE = `<!doctype html><title>a peer</title><link rel="icon" href="data:,"><script type="module">
  import { talk } from './peers/standard.js'
  const script = await (await fetch('script')).json()
  for (const [i, message] of script.entries()) {
    message.data = new Uint8Array(await (await fetch('script/' + i)).arrayBuffer())
  }
  globalThis.talkTo = url => talk(WebSocket, url, script)
</script>`

const ECHO_PAGE = fileURLToPath(new URL('../../examples/echo-page/server.js', import.meta.url))
const BUILT = fileURLToPath(new URL('../../dist/index.js', import.meta.url))

const browser = await launchBrowser(t)

if (browser) {
  for (const [mode, join, most] of SERVERS) {
    t.test(`Chromium as client against our ${mode} server joined by ${join}`, async t => {
      const page = await browser.newPage()
      await page.goto(`http://127.0.0.1:${await servePage(t)}/`)
      await page.waitForFunction('globalThis.talkTo')
      const server = await listen(t, mode, join)
      for (const plan of plansUpTo(most)) {
        t.test(describe(plan), async t => {
          const theirs: Report = await page.evaluate(`talkTo('${server.origin}${pathOf(plan)}')`)
          agree(t, plan, await server.report(), theirs, { pings: false, pieces: false, repeatsReason: true })
        })
      }
    })
  }

  t.test('the echo page', { skip: existsSync(ECHO_PAGE) ? false : 'there is no echo page' }, async t => {
    if (!existsSync(BUILT)) return t.fail('needs dist: npm run build')
    const page = await browser.newPage()
    const complaints: string[] = []
    page.on('pageerror', error => complaints.push(error.message))
    // the browser reports a refused dial to its user, but not to the page
    const isRefusal = (text: string): boolean => /^WebSocket connection to .* failed: Error during/.test(text)
    page.on('console', message => {
      if (message.type() === 'error' && !isRefusal(message.text())) complaints.push(message.text())
    })
    await page.goto(await startEchoPage(t))
    await tryEchoPage(t, page)
    t.strictSame(complaints, [], 'the page ran without errors')
  })
}

async function tryEchoPage(t: Test, page: Page): Promise<void> {
  const text = (id: string) => page.locator(`#${id}`).textContent()
  const bytes = (id: string) =>
    page.locator(`#${id}`).evaluate(element => Number((element as { value?: string }).value))
  const state = (id: string, value: string) => page.waitForSelector(`#${id}[data-state="${value}"]`)
  const newest = (kind: string, words: string) =>
    page.waitForSelector(`#log li:first-child[data-kind="${kind}"] >> text=${words}`)

  await t.test('connects, and shows what was negotiated', async t => {
    await page.selectOption('#protocols', 'echo.duplex')
    await page.click('#connect')
    await state('status', 'open')
    t.equal(await text('protocol'), 'echo.duplex')
    // the server's view is updated with its next sample
    await page.locator('#version', { hasText: 'hybi-13' }).waitFor()
  })

  await t.test('shows the echo of text and binary messages', async t => {
    await page.fill('#text', 'Grüße, 世界 😀')
    await page.click('#send-text')
    await newest('echo', 'as sent')
    await page.fill('#binary-size', '1000000')
    await page.click('#send-binary')
    await newest('echo', '1000000 bytes')
    t.match(await text('rtt'), /^[\d.]+ ms$/)
    t.equal(await page.locator('#log li[data-kind="echo"]').count(), 2)
    t.equal(await page.locator('#log li[data-kind="problem"]').count(), 0)
  })

  await t.test('closes with a code and a reason that both sides see', async t => {
    await close('#close', '4001', 'schönen Abend')
    t.match(await text('close-server'), /4001.*schönen Abend.*wasClean: true.*initiator: peer/)
    t.match(await text('close-browser'), /4001.*wasClean: true/)
  })

  await t.test('is closed by the server with a code and a reason that both sides see', async t => {
    await page.click('#connect')
    await state('status', 'open')
    await close('#server-close', '4002', 'good night')
    t.match(await text('close-server'), /4002.*wasClean: true.*initiator: local/)
    t.match(await text('close-browser'), /4002.*good night.*wasClean: true/)
  })

  async function close(button: string, code: string, reason: string) {
    await page.fill('#close-code', code)
    await page.fill('#close-reason', reason)
    await page.click(button)
    await state('status', 'closed')
    await page.locator('#close-server', { hasText: code }).waitFor()
  }

  await t.test('a failed connection is explained, since a browser only reports 1006', async t => {
    await page.selectOption('#path', '/nowhere')
    await page.click('#connect')
    await page.locator('#log', { hasText: /the server refused with 404/ }).waitFor()
    t.match(await text('log'), /no connection: the browser says code 1006/)
    await page.selectOption('#path', '/echo')
    await page.selectOption('#protocols', 'no.such')
    await page.click('#connect')
    await page.locator('#log', { hasText: /the server chose none of the subprotocols/ }).waitFor()
    t.match(await page.locator('#log li:first-child time').textContent(), /^\d\d:\d\d:\d\d\.\d{3}$/)
  })

  await t.test('the code shown on the page is the code that runs', async t => {
    for (const [id, file] of [
      ['code-waits', 'endpoints.js'],
      ['code-keeps', 'keeper.js']
    ] as const) {
      const source = readFileSync(join(dirname(ECHO_PAGE), file), 'utf8').replace(/^ +/gm, '')
      t.ok(source.includes((await text(id))!.replace(/^ +/gm, '')), id)
    }
  })

  await t.test('floods a server that does not read, which buffers little of it, and then reads everything', async t => {
    await page.click('#flood')
    await state('flood-status', 'full')
    const held = await bytes('held')
    t.ok((await bytes('offered')) > 2 ** 27, 'more than 128 MiB were offered')
    t.ok(held < 2 ** 20, `${held} bytes are held`)
    t.equal(await bytes('consumed'), 0)
    // what it holds is reported with the next sample
    while ((await bytes('keeper-kept')) <= 2 ** 27) await page.waitForTimeout(50)
    t.ok((await bytes('keeper-memory')) > (await bytes('memory')) + 2 ** 26, 'the server that keeps all has grown')

    await page.click('#release')
    await state('flood-status', 'drained')
    t.ok((await bytes('consumed')) > 2 ** 27, 'all were read')
    await page.click('#stop-flood')
    await state('flood-status', 'closed')
  })
}

/** Serves a page that takes part in conversations, and its script; returns the port. */
async function servePage(t: TestLike): Promise<number> {
  const modules = ['converse', 'peers/standard']
  const files = new Map<string, { type: string; body: string | Uint8Array }>([
    ['/', { type: 'text/html', body: PAGE }],
    ['/script', { type: 'application/json', body: JSON.stringify(SCRIPT.map(({ data, ...rest }) => rest)) }],
    ...SCRIPT.map(({ data }, i) => [`/script/${i}`, { type: 'application/octet-stream', body: data }] as const),
    ...modules.map(name => [`/${name}.js`, { type: 'text/javascript', body: transpile(name) }] as const)
  ])
  const server = createServer((request, response) => {
    const file = files.get(request.url!)
    response.writeHead(file ? 200 : 404, { 'Content-Type': file?.type ?? 'text/plain' }).end(file?.body)
  })
  return listenOnLoopback(t, server)
}

/** The TypeScript that Node's peers run, as JavaScript for the page. */
function transpile(name: string): string {
  const source = readFileSync(new URL(`${name}.ts`, import.meta.url), 'utf8')
  const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true }
  return ts.transpileModule(source, { compilerOptions }).outputText
}

/** Starts what `npm start` starts, on a free port; returns the address of its page. */
async function startEchoPage(t: TestLike): Promise<string> {
  // `env -i` removes the environment that tap gives its children: the page and the build are not part of the coverage
  const server = spawn('env', ['-i', 'PORT=0', process.execPath, ECHO_PAGE], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = once(server, 'close')
  t.teardown(() => stopChild(server, ended))
  for await (const line of createInterface({ input: server.stdout })) {
    const address = /http:\/\/\S+/.exec(line)
    if (address) return address[0]
  }
  throw new Error('the echo page ended before it was there')
}
