// Sends typed lines to a room, and prints its messages with their sequence numbers.
//
//   node examples/broker/chat.js ws://127.0.0.1:8080/rooms/lobby [after]

import { createInterface } from 'node:readline'
import { RoomClient } from './client.js'

const [url, after] = process.argv.slice(2)
if (url === undefined) {
  console.error('usage: chat.js <ws://host/rooms/name> [after]')
  process.exit(1)
}

const room = new RoomClient(url, { after })
room.on('connected', ({ at, isLost }) => console.error(`— connected, ${isLost ? 'some was lost, ' : ''}from ${at} on`))
room.on('disconnected', (end, pause) => console.error(`— ${end.message ?? end.code}, again in ${Math.round(pause)} ms`))
room.on('data', ({ seq, data }) => console.log(seq, data))
room.on('error', error => console.error(`— ${error.message}`))

for await (const line of createInterface({ input: process.stdin })) await room.publish(line)
room.destroy()
