// Many clients that check that they get every message of their room exactly once, in order, also while servers are killed or ended.
//
//   node examples/broker/crowd.js ws://127.0.0.1:8080/rooms/      prints lines meanwhile, and a report when its input ends
//
//   CLIENTS=12, ROOMS=3    how many, the clients in turn in each room
//   RATE=20                messages a second of each room; 0 is as fast as they are acknowledged
//   WINDOW=8               how many of a room may wait for that
//   SIZE=0                 bytes more in each
//   INTERVAL=1000          ms between two lines

import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { RoomClient } from './client.js'

const { CLIENTS = '12', ROOMS = '3', RATE = '20', WINDOW = '8', SIZE = '0', INTERVAL = '1000' } = process.env
const [base = 'ws://127.0.0.1:8080/rooms/'] = process.argv.slice(2)
const PADDING = 'x'.repeat(Number(SIZE))
/** Time in ms for slow clients to catch up at the end. */
const PATIENCE = 10_000

const run = Date.now().toString(36)
const rooms = Array.from({ length: Number(ROOMS) }, (_, i) => ({ name: `crowd-${run}-${i}`, published: 0 }))
const counts = { published: 0, received: 0, reconnects: 0, repeated: 0, missed: 0 }
let isEnding = false

const clients = Array.from({ length: Number(CLIENTS) }, (_, i) => {
  const room = rooms[i % rooms.length]
  const client = new RoomClient(`${base}${room.name}`, { longestPause: 1000 })
  const member = { client, room, next: 0 }
  client.on('data', ({ data }) => check(member, Number.parseInt(data, 10)))
  client.once('connected', () => client.on('connected', () => counts.reconnects++))
  return member
})

// a room's messages are 0, 1, 2 and so on
function check(member, number) {
  counts.received++
  if (number < member.next) counts.repeated++
  else counts.missed += number - member.next
  member.next = Math.max(member.next, number + 1)
}

async function speak({ client, room }) {
  const started = Date.now()
  let waiting = 0
  for (let number = 0; !isEnding; number++) {
    waiting++
    const acknowledged = client.publish(`${number} ${PADDING}`).then(() => {
      waiting--
      room.published++
      counts.published++
    })
    if (waiting >= Number(WINDOW)) await acknowledged
    if (Number(RATE) > 0) await sleep(Math.max(0, started + ((number + 1) * 1000) / Number(RATE) - Date.now()))
  }
  while (waiting > 0) await sleep(10)
}

await Promise.all(clients.map(({ client }) => once(client, 'connected')))
console.log(`crowd: ${clients.length} clients in ${rooms.length} rooms of ${base}`)
const started = Date.now()
const report = setInterval(() => console.log(JSON.stringify(counts)), Number(INTERVAL))
process.stdin.resume().once('end', () => (isEnding = true))

await Promise.all(clients.slice(0, rooms.length).map(speak))
const seconds = (Date.now() - started) / 1000
const isComplete = () => clients.every(({ next, room }) => next === room.published)
for (const end = Date.now() + PATIENCE; Date.now() < end && !isComplete(); ) await sleep(20)
clearInterval(report)
for (const { next, room } of clients) counts.missed += Math.max(0, room.published - next)
console.log(JSON.stringify({ ...counts, seconds }))
for (const { client } of clients) client.destroy()
