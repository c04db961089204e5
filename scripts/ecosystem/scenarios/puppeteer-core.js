// puppeteer-core, which talks to Chromium through ws.

import { startChromium } from '../chromium.js'

export default {
  what: 'its connection to Chromium: pages, evaluation, functions of Node in the page, 2 MB there and back, a screenshot',
  packages: { 'puppeteer-core': '24.43.1', ws: '8.18.3' },
  putIn: { ws: 'websocket-duplex-ws' },
  timeout: 60_000,
  async run({ log, require }) {
    const { default: puppeteer } = require('puppeteer-core')
    const { url, stop } = await startChromium()
    try {
      const browser = await puppeteer.connect({ browserWSEndpoint: url })
      const disconnected = new Promise(resolve => browser.once('disconnected', resolve))
      const page = await browser.newPage()
      const said = []
      page.on('console', message => said.push(message.text()))
      await page.exposeFunction('double', value => value * 2)
      await page.setContent('<title>hello</title><p>☃ snow</p>')
      log(await page.title(), await page.$eval('p', node => node.textContent))
      log(await page.evaluate(async () => globalThis.double(21)))
      const text = 'é'.repeat(1_000_000)
      log(await page.evaluate(value => [...value].reverse().join('') === value && value.length, text))
      log((await page.evaluate(value => value + value, text)).length)
      log((await page.screenshot()).subarray(1, 4).toString())
      await page.evaluate(() => console.log('done'))
      log(said)
      await page.close()
      log((await browser.pages()).length)
      await browser.disconnect()
      await disconnected
      log('disconnected')
    } finally {
      await stop()
    }
  }
}
