// A browser as a client: starts it headless on a page that connects, and prints what the page reports by HTTP.
//
//   node browser.js chromium /usr/bin/chromium connect URL...

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { tell } from './program.js'

const [kind, command, , ...urls] = process.argv.slice(2)
const profile = mkdtempSync(join(tmpdir(), 'interop-profile-'))

const ARGUMENTS = {
  chromium: page => [
    ...['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
    ...['--disable-component-update', '--disable-sync', `--user-data-dir=${profile}`, page]
  ],
  firefox: page => ['--headless', '--no-remote', '--profile', profile, page]
}

const PAGE = `<!doctype html><link rel="icon" href="data:,"><script type="module">
  import { connect } from './standard.js'
  const post = line => fetch('tell', { method: 'POST', body: JSON.stringify(line) })
  for (const url of ${JSON.stringify(urls)}) {
    let told
    await connect(WebSocket, url, line => { told = post(line) })
    await told
  }
  await post('over')
</script>`

const server = createServer(async (request, response) => {
  if (request.method === 'POST') {
    const chunks = await request.toArray()
    const line = JSON.parse(Buffer.concat(chunks))
    response.end()
    if (line === 'over') leave()
    else tell(line)
    return
  }
  const file = request.url.slice(1)
  const isModule = file === 'standard.js' || file === 'echo.js'
  response.setHeader('Content-Type', isModule ? 'text/javascript' : 'text/html')
  response.end(isModule ? readFileSync(new URL(file, import.meta.url)) : PAGE)
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')

const [version] = /\d[\d.]+/.exec(execFileSync(command, ['--version'], { encoding: 'utf8' }))
tell({ version })

// in its own process group, so that its helpers end with it
const child = spawn(command, ARGUMENTS[kind](`http://127.0.0.1:${server.address().port}/`), {
  stdio: ['ignore', 'ignore', 'ignore'],
  detached: true,
  env: { ...process.env, MOZ_DISABLE_AUTO_SAFE_MODE: '1' }
})
const gone = once(child, 'exit')
process.on('SIGTERM', leave)
process.stdin.on('end', leave).resume()

async function leave() {
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch {
    // it has already ended
  }
  await gone
  rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
  process.exit()
}
