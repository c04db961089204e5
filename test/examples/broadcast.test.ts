// The broadcast example: readers get everything, slow clients miss messages or are closed, and the server does not grow.

import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import t from 'tap'
import { WebSocket } from 'ws'
import { WebSocketStream } from '../../lib/index.js'
import { start } from './program.js'

interface Report {
  receivers: number
  sent: number
  conflated: number
  closed: number
  mebibytes: number
}

for (const policy of ['conflate', 'close']) {
  t.test(`slow readers: ${policy}`, { timeout: 60_000 }, async t => {
    const example = await start(t, 'broadcast/server.js', ['100'], { POLICY: policy, INTERVAL: '1' })
    const reader = new WebSocket(example.url)
    let last = 0
    let isOrdered = true
    reader.on('message', data => {
      const { time } = JSON.parse(String(data)) as { time: number }
      isOrdered &&= time >= last
      last = time
    })
    const { port, hostname } = new URL(example.url)
    const socket = connectTcp(Number(port), hostname)
    const slow = WebSocketStream.client(example.url).attach(socket)
    await Promise.all([slow.opened, once(reader, 'open')])
    socket.pause()

    let report: Report
    do report = JSON.parse(await example.line()) as Report
    while (report.conflated === 0 && report.closed === 0)
    t.ok(policy === 'close' ? report.closed > 0 : report.conflated > 0, JSON.stringify(report))
    t.ok(report.mebibytes < 250)
    t.ok(isOrdered && last > 0, 'who reads is not held up')

    const times: number[] = []
    slow.on('message', data => times.push((JSON.parse(String(data)) as { time: number }).time))
    socket.resume()
    if (policy === 'close') {
      t.match(await slow.whenClosed(), { code: 1013, reason: 'too slow' })
    } else {
      const now = Date.now()
      while ((times.at(-1) ?? 0) < now) await once(slow, 'message')
      t.ok(
        times.some((time, i) => i > 0 && time - times[i - 1]! > 50),
        'who reads again is sent the newest, and has missed some'
      )
    }
    reader.terminate()
    slow.destroy()
    t.equal(await example.stop(), 0)
  })
}
