// The WebSocketProvider of ethers, against a mock of a blockchain node.

import { once } from 'node:events'
import { until } from '../helpers.js'

const ANSWERS = {
  eth_chainId: '0x1',
  eth_blockNumber: '0x10',
  eth_getBalance: '0xde0b6b3a7640000',
  eth_subscribe: '0xabc',
  eth_unsubscribe: true
}

export default {
  what: 'its WebSocketProvider: calls before and after it is open, a batch of 50, subscriptions, the end',
  packages: { ethers: '6.15.0', ws: '8.18.3' },
  putIn: { ws: 'websocket-duplex-ws' },
  async run({ log, require }) {
    const { WebSocketProvider } = require('ethers')
    const { WebSocketServer } = require('ws')
    const wss = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    await once(wss, 'listening')
    const asked = []
    wss.on('connection', socket =>
      socket.on('message', data => {
        for (const { id, method } of [JSON.parse(String(data))].flat()) {
          asked.push(method)
          socket.send(JSON.stringify({ jsonrpc: '2.0', id, result: ANSWERS[method] }))
        }
      })
    )
    const provider = new WebSocketProvider(`ws://127.0.0.1:${wss.address().port}`)
    log((await provider.getNetwork()).chainId.toString())
    const address = `0x${'11'.repeat(20)}`
    const balances = await Promise.all(
      Array.from({ length: 50 }, () => provider.send('eth_getBalance', [address, 'latest']))
    )
    log(balances.length, new Set(balances).size)
    const blocks = []
    await provider.on('block', number => blocks.push(number))
    await until(() => asked.includes('eth_subscribe'))
    const params = { subscription: '0xabc', result: { number: '0x11' } }
    for (const socket of wss.clients)
      socket.send(JSON.stringify({ jsonrpc: '2.0', method: 'eth_subscription', params }))
    await until(() => blocks.length === 1)
    log(blocks, [...new Set(asked)].sort())
    await provider.destroy()
    await until(() => wss.clients.size === 0)
    wss.close()
  }
}
