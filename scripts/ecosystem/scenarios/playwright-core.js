// playwright-core contains a copy of ws, which overrides do not replace. Here its connection to Chromium passes through a server and a
// client of ws, as through a browser grid.

import { once } from 'node:events'
import { startChromium } from '../chromium.js'

export default {
  what: 'its connection to Chromium, through a server and a client of ws between them (it carries a copy of ws, which no override reaches)',
  packages: { ws: '8.18.3', 'playwright-core': '1.55.0' },
  putIn: { ws: 'websocket-duplex-ws' },
  timeout: 60_000,
  async run({ log, require }) {
    const { chromium } = require('playwright-core')
    const { WebSocket, WebSocketServer } = require('ws')
    const { url, stop } = await startChromium()
    const grid = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    await once(grid, 'listening')
    const closes = []
    grid.on('connection', near => {
      const far = new WebSocket(url, { perMessageDeflate: false, maxPayload: 2 ** 28 })
      const waiting = []
      near.on('message', (data, isBinary) => {
        if (far.readyState === WebSocket.CONNECTING) waiting.push([data, { binary: isBinary }])
        else far.send(data, { binary: isBinary })
      })
      far.on('open', () => {
        for (const [data, options] of waiting) far.send(data, options)
      })
      far.on('message', (data, isBinary) => near.send(data, { binary: isBinary }))
      near.on('close', code => {
        closes.push(code)
        far.close()
      })
    })
    try {
      const browser = await chromium.connectOverCDP(`ws://127.0.0.1:${grid.address().port}/`)
      const page = await browser.newPage()
      await page.exposeFunction('double', value => value * 2)
      await page.setContent(
        '<title>hello</title><button onclick="double(4).then(n => this.textContent = n)">go</button>'
      )
      log(await page.title())
      await page.click('button')
      await page.waitForFunction(() => document.querySelector('button').textContent === '8')
      log(await page.textContent('button'))
      log((await page.evaluate(text => text + text, 'é'.repeat(1_000_000))).length)
      log((await page.screenshot()).subarray(1, 4).toString())
      await browser.close()
      log(closes.length <= 1)
    } finally {
      for (const client of grid.clients) client.terminate()
      grid.close()
      await stop()
    }
  }
}
