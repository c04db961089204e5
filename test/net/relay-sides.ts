// A relay with a raw peer at each end, all in memory: the client's wire on one side, and what the relay dials on the other.

import type { Duplex } from 'node:stream'
import { type WebSocketOptions, WebSocketStream } from '../../lib/index.js'
import type { ConnectOptions } from '../../lib/net/connect-options.js'
import { type Relay, type RelayOptions, type RelayTarget, relay, type TargetChooser } from '../../lib/net/relay.js'
import { Inbox } from '../support/inbox.js'
import { pair } from '../support/pair.js'
import { answerHead, type FieldChanges, type Head, RawPeer, requestHead } from '../support/raw-peer.js'

export interface TestLike {
  teardown(fn: () => unknown): unknown
}

export interface RelaySetup {
  /** Of the client's connection at the relay. */
  server?: WebSocketOptions
  options?: RelayOptions
  target?: RelayTarget | TargetChooser
  /** Fields of the client's request. */
  request?: FieldChanges
  line?: string
  /** Fields of the target's response. */
  response?: FieldChanges
}

export interface Relayed {
  relay: Relay
  /** The relay's connection with the client. */
  ws: WebSocketStream
  client: RawPeer
  target: RawPeer
  /** The relay's ends of both wires. */
  wires: { client: Duplex; target: Duplex }
}

export const TARGET = 'ws://target.test/there?a=b'

/** A relay that has got the request, and has not dialled. */
export function ask(
  t: TestLike,
  setup: RelaySetup = {}
): { relay: Relay; ws: WebSocketStream; client: RawPeer; near: Duplex; calls: Inbox<Call> } {
  const [near, far] = pair()
  const calls = new Inbox<Call>()
  const { connect, ...others } = setup.options ?? {}
  const createConnection = (url: URL, options: ConnectOptions): Duplex => {
    const [ours, theirs] = pair()
    t.teardown(() => theirs.destroy())
    calls.put({ url, options, wire: ours, peer: new RawPeer(theirs, 'server') })
    return ours
  }
  const ws = WebSocketStream.server(setup.server).attach(near)
  const joined = relay(ws, setup.target ?? TARGET, { ...others, connect: { createConnection, ...connect } })
  const client = new RawPeer(far, 'client')
  client.write(requestHead(setup.request, setup.line))
  t.teardown(() => {
    joined.destroy()
    far.destroy()
  })
  return { relay: joined, ws, client, near, calls }
}

/** The dialled connection of a relay. */
export interface Call {
  url: URL
  options: ConnectOptions
  wire: Duplex
  peer: RawPeer
}

/** Both connections, open. */
export async function open(t: TestLike, setup: RelaySetup = {}): Promise<Relayed & { asked: Head; answered: Head }> {
  const { relay, ws, client, near, calls } = ask(t, setup)
  const call = (await calls.take())!
  const asked = await call.peer.head()
  call.peer.write(answerHead(asked, setup.response))
  const answered = await client.head()
  await relay.opened
  return { relay, ws, client, target: call.peer, wires: { client: near, target: call.wire }, asked, answered }
}
