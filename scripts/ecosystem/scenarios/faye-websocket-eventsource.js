// The EventSource of faye-websocket, which imports our Headers class by its path.

import http from 'node:http'
import { listen, until } from '../helpers.js'

export default {
  what: 'an EventSource: fields, events, retries, the end',
  packages: { 'faye-websocket': '0.11.4' },
  putIn: { 'websocket-driver': 'websocket-duplex-driver' },
  quick: true,
  async run({ log, require }) {
    const { EventSource } = require('faye-websocket')
    const server = http.createServer((request, response) => {
      log(EventSource.isEventSource(request), request.headers['last-event-id'])
      const headers = { 'Access-Control-Allow-Origin': '*', 'X-A': ' b ', 'Set-Cookie': 'c=d' }
      const source = new EventSource(request, response, { headers, ping: 60, retry: 7 })
      log(source.lastEventId, new URL(source.url).pathname, source.readyState)
      source.send('hello\nthere', { event: 'greeting', id: 'id-1' })
      source.send('again')
      source.on('close', () => log('closed', source.readyState))
      setTimeout(() => source.close(), 50)
    })
    const port = await listen(server)
    const headers = { Accept: 'text/event-stream', 'Last-Event-Id': 'id-0' }
    let text = ''
    const request = http.get({ port, host: '127.0.0.1', path: '/events', headers, agent: false })
    request.on('response', response => {
      const { date: _date, ...fields } = response.headers
      log(response.statusCode, Object.entries(fields).sort())
      response.on('data', chunk => (text += chunk))
      response.on('end', () => (text += 'END'))
    })
    await until(() => text.endsWith('END'))
    log(text)
    server.close()
  }
}
