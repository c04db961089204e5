// Rooms over several processes: if a process is killed or leaves, every client gets each message once, and a slow reader
// costs a process no more than a batch.

import { type EventEmitter, once } from 'node:events'
import { connect as connectTcp, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { WebSocketStream } from '../../lib/index.js'
import { findCommand, needPeer } from '../support/peers.js'
import { rejection } from '../websocket-stream/sides.js'
import { freePorts, type RoomServer, runExample, startHaproxy, startNats, startServer } from './broker-processes.js'

const SIZE = 8000
/** ms */
const LIMIT = 10_000
/** Twice the limit of a slow connection, waiting and given to the socket, and a batch: each including the message that exceeded it. */
const MOST_HELD = 2 * (2 ** 16 + SIZE + 100) + 2 ** 18 + SIZE + 100

interface Report {
  published: number
  received: number
  reconnects: number
  repeated: number
  missed: number
}

interface Heard {
  at?: number
  isLost?: boolean
  ack?: string
  seq?: number
  data?: string
}

/** A member with its own socket, which can stop reading. */
class Member {
  readonly heard: Heard[] = []
  private waiting: (() => void) | null = null

  private constructor(
    readonly ws: WebSocketStream,
    readonly socket: Socket
  ) {
    ws.on('message', text => {
      this.heard.push(JSON.parse(String(text)) as Heard)
      this.waiting?.()
    })
  }

  static async join(t: Test, { port }: RoomServer, room: string): Promise<Member> {
    const socket = connectTcp(port, '127.0.0.1')
    t.teardown(() => socket.destroy())
    const ws = WebSocketStream.client(`ws://127.0.0.1:${port}/rooms/${room}`).attach(socket)
    const member = new Member(ws, socket)
    await member.hears(1, ({ at }) => at !== undefined)
    return member
  }

  /** Resolves with the first messages of a kind when this many are there; rejects if they do not arrive in time. */
  async hears(count: number, kind: (heard: Heard) => boolean): Promise<Heard[]> {
    const timer = setTimeout(() => this.ws.destroy(), LIMIT)
    for (;;) {
      const found = this.heard.filter(kind)
      if (found.length >= count) {
        clearTimeout(timer)
        return found.slice(0, count)
      }
      const { closeInfo } = this.ws
      if (closeInfo !== undefined) throw new Error(`${found.length} of ${count}, then ${closeInfo.code}`)
      await Promise.race([new Promise<void>(resolve => (this.waiting = resolve)), this.ws.whenClosed()])
    }
  }

  async say(id: string, data: string): Promise<void> {
    if (!this.ws.messages.write(JSON.stringify({ id, data }))) await once(this.ws.messages, 'drain')
  }
}

// before the first test: tap ends a file whose tests are done while it still waits
const natsServer = needPeer(t, findCommand('nats-server'), 'nats-server')
const haproxy = needPeer(t, findCommand('haproxy'), 'haproxy')
const nats = natsServer === undefined ? undefined : await startNats(t, natsServer)
const rooms = nats === undefined ? undefined : await startServer(t, nats)

t.test('a client that cannot dial emits the error that says why', async t => {
  const path = new URL('../../examples/broker/client.js', import.meta.url).href
  const { RoomClient } = (await import(path)) as { RoomClient: new (url: string) => EventEmitter }
  const [error] = (await once(new RoomClient('ftp://127.0.0.1/'), 'error')) as [Error]
  t.match(error.message, /scheme/)
})

if (nats !== undefined && rooms !== undefined) {
  if (haproxy !== undefined) testEnds(nats, haproxy)
  testFlood(nats)
  testRooms(rooms)
}

function testEnds(nats: string, haproxy: string): void {
  t.test('one process is killed, one leaves, and every client gets every message once, in order', async t => {
    const [first, second, front] = (await freePorts(3)) as [number, number, number]
    const killed = await startServer(t, nats, first)
    const leaving = await startServer(t, nats, second)
    await startHaproxy(t, haproxy, {
      ONE: `127.0.0.1:${first}`,
      TWO: `127.0.0.1:${second}`,
      BIND: `127.0.0.1:${front}`
    })
    const crowd = runExample(t, 'crowd.js', [`ws://127.0.0.1:${front}/rooms/`], {
      CLIENTS: '24',
      ROOMS: '3',
      RATE: '60',
      INTERVAL: '100'
    })
    const reports = async (condition: (report: Report) => boolean): Promise<Report> => {
      for (;;) {
        const report = JSON.parse((await crowd.line(/^\{.*\}$/))[0]) as Report
        if (condition(report)) return report
      }
    }
    await reports(({ published }) => published > 0)
    t.match([await killed.health(), await leaving.health()], [{ connections: 12 }, { connections: 12 }], 'as many each')

    killed.child.kill('SIGKILL')
    await reports(({ reconnects }) => reconnects >= 12)
    t.match(await leaving.health(), { isHealthy: true, connections: 24 })

    const another = await startServer(t, nats, first)
    leaving.child.kill('SIGTERM')
    t.equal(await leaving.ended, 0)
    await reports(({ reconnects }) => reconnects >= 36)
    t.match(await another.health(), { isHealthy: true, connections: 24, rooms: 3 })

    crowd.child.stdin!.end()
    const report = await reports(report => 'seconds' in report)
    t.match(report, { missed: 0, repeated: 0, received: 8 * report.published }, JSON.stringify(report))
  })
}

function testFlood(nats: string): void {
  t.test('for a client that does not read one batch is buffered, and it gets everything when it reads', async t => {
    const server = await startServer(t, nats)
    const slow = await Member.join(t, server, 'flood')
    const writer = await Member.join(t, server, 'flood')
    slow.socket.pause()
    // more than the kernel buffers for this client
    const count = 1500
    for (let i = 0; i < count; i++) await writer.say(`flood-${i}`, `${i} ${'m'.repeat(SIZE - 10)}`)
    await writer.hears(count, ({ ack }) => ack !== undefined)

    const flooded = await server.health()
    t.match(flooded, { behind: 1 })
    t.ok(flooded.mostHeld <= MOST_HELD, `${flooded.mostHeld} bytes`)
    slow.socket.resume()
    const got = await slow.hears(count, ({ data }) => data !== undefined)
    t.ok(got.every(({ data }, i) => Number.parseInt(data!, 10) === i))

    const { mostHeld, behind } = await server.health()
    t.equal(behind, 0)
    t.ok(mostHeld > 2 ** 16 && mostHeld <= MOST_HELD, `${mostHeld} of ${MOST_HELD} bytes`)
    t.equal(slow.heard.length, 1 + count, 'and nothing twice')
    server.child.kill('SIGTERM')
    t.match(await slow.ws.whenClosed(), { code: 1001, wasClean: true })
    t.equal(await server.ended, 0)
  })
}

function testRooms(server: RoomServer): void {
  t.test('a message is stored once for each id, and its acknowledgement says where', async t => {
    const member = await Member.join(t, server, 'acks')
    for (const id of ['a', 'b', 'a']) await member.say(id, `from ${id}`)
    const acks = await member.hears(3, ({ ack }) => ack !== undefined)
    t.strictSame(
      acks.map(({ ack }) => ack),
      ['a', 'b', 'a']
    )
    t.equal(acks[0]!.seq, acks[2]!.seq)
    const said = await member.hears(2, ({ data }) => data !== undefined)
    t.strictSame(
      said.map(({ seq, data }) => [seq, data]),
      [
        [acks[0]!.seq, 'from a'],
        [acks[1]!.seq, 'from b']
      ]
    )

    // a sequence number from before the stream began
    const late = await Member.join(t, server, 'acks?after=999999999')
    t.strictSame(late.heard, [{ at: acks[1]!.seq, isLost: true }])
    const again = await Member.join(t, server, `acks?after=${acks[0]!.seq}`)
    t.match(await again.hears(1, ({ data }) => data !== undefined), [{ data: 'from b' }])
    member.ws.text('hello')
    t.match(await member.ws.whenClosed(), { code: 1008 })
  })

  t.test('typed lines are sent, and received messages are printed', async t => {
    const { port } = server
    const url = `ws://127.0.0.1:${port}/rooms/lobby`
    const chat = runExample(t, 'chat.js', [url], {})
    await chat.line(/connected/)
    chat.child.stdin!.write('hello\n')
    const [, seq] = await chat.line(/^(\d+) hello$/)
    const late = runExample(t, 'chat.js', [url, `${Number(seq) - 1}`], {})
    t.equal((await late.line(/^.*hello$/))[0], `${seq} hello`)
    chat.child.stdin!.end()
    t.equal(await chat.ended, 0)
  })

  t.test('an invalid room is refused', async t => {
    const { port } = server
    for (const [path, status] of [
      ['rooms/a.b', 404],
      ['rooms/', 404],
      ['rooms/a?after=-1', 400]
    ] as const) {
      const socket = connectTcp(port, '127.0.0.1')
      const ws = WebSocketStream.client(`ws://127.0.0.1:${port}/${path}`).attach(socket)
      t.match(await rejection(ws.opened), { status }, path)
    }
  })
}
