// Firebase's database client, and a mock of its server made with ws.

import { once } from 'node:events'
import { until } from '../helpers.js'

export default {
  what: 'the client, against a mock: listening, writing, a cut connection, going offline',
  packages: { '@firebase/database': '1.1.5', '@firebase/app': '0.16.5', ws: '8.18.3' },
  putIn: { 'websocket-driver': 'websocket-duplex-driver' },
  timeout: 60_000,
  async run({ log, require }) {
    const { initializeApp } = require('@firebase/app')
    const database = require('@firebase/database')
    const { WebSocketServer } = require('ws')
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    await once(server, 'listening')
    const { port } = server.address()
    const sockets = []
    const requests = []
    server.on('connection', (socket, request) => {
      sockets.push(socket)
      log('connection', new URL(request.url, 'ws://x').searchParams.get('v'))
      const send = message => socket.send(JSON.stringify(message))
      const data = { ts: 1, v: '5', h: `127.0.0.1:${port}`, s: 'session' }
      send({ t: 'c', d: { t: 'h', d: data } })
      // a long message arrives in parts, after the number of them
      let missing = 0
      let text = ''
      socket.on('message', raw => {
        const part = String(raw)
        if (part === '0') return
        if (missing === 0 && /^\d+$/.test(part)) {
          missing = Number(part)
          return
        }
        text += part
        if (missing > 0 && --missing > 0) return
        const message = JSON.parse(text)
        text = ''
        const { r, a, b } = message.d
        requests.push([a, b.p, typeof b.d === 'object' ? JSON.stringify(b.d).length : b.d])
        if (a === 'q') send({ t: 'd', d: { a: 'd', b: { p: b.p, d: { greeting: 'hello ☃', list: [1, 2, 3] } } } })
        send({ t: 'd', d: { r, b: { s: 'ok', d: '' } } })
      })
    })
    const app = initializeApp({ databaseURL: `http://127.0.0.1:${port}?ns=test` })
    const db = database.getDatabase(app)
    const values = []
    database.onValue(database.ref(db, 'path/to'), snapshot => values.push(snapshot.val()))
    await until(() => values.length > 0)
    await database.set(database.ref(db, 'other'), { number: 1, long: 'y'.repeat(50_000) })
    await database.update(database.ref(db, 'path/to'), { more: true })
    log(values)
    log(requests.splice(0).filter(([a]) => a !== 's'))
    sockets[0].terminate()
    await until(() => sockets.length === 2)
    await until(() => requests.some(([a]) => a === 'q'))
    await database.remove(database.ref(db, 'other'))
    log(requests.splice(0).filter(([a]) => a !== 's'))
    database.goOffline(db)
    await until(() => sockets[1].readyState === 3)
    log('offline')
    server.close()
  }
}
