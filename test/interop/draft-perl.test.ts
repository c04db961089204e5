// Debian's Protocol::WebSocket, as a client that speaks hixie-75 and hixie-76.

import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import type { WebSocketStream } from '../../lib/index.js'
import { needPeer, startPeer } from '../support/peers.js'
import { ALL, describe, plansUpTo, SMALL } from './agreement.js'
import { BURST, converse, type Message, type Plan, PROTOCOL, pathOf } from './converse.js'
import { type Join, listen, type Mode, type OurReport } from './our-side.js'
import { SCRIPT, writeScript } from './script.js'

/** The peer's report on one connection. */
interface TheirReport {
  path: string
  protocol: string
  echoed: number
  /** Whether a Close arrived, or the wire ended without one. */
  ending: 'close' | 'end'
  origin: string
  location: string
  faults: string[]
}

const PEER = fileURLToPath(new URL('peers/draft_peer.pl', import.meta.url))
const TEXTS = SCRIPT.filter(({ kind }) => kind === 'text')

/** Our names of the versions, and theirs. */
const VERSIONS = { 'hixie-75': 'draft-hixie-75', 'hixie-76': 'draft-ietf-hybi-00' } as const
/** How the request is sent. Only that of hixie-76 has a body. */
const MANNERS = { 'hixie-75': ['whole', 'glued'], 'hixie-76': ['whole', 'bare', 'late', 'glued'] } as const
const NAMES = ['hixie-75', 'hixie-76'] as const
const SERVERS: [Mode, Join][] = [
  ['http', 'attach'],
  ['http', 'pipe'],
  ['raw', 'attach'],
  ['raw', 'pipe']
]

function findPerl(): string | undefined {
  try {
    const modules = ['-MProtocol::WebSocket::Frame', '-MJSON::PP', '-MIO::Socket::INET']
    execFileSync('perl', [...modules, '-e', '1'], { stdio: 'ignore', timeout: 20_000 })
    return 'perl'
  } catch {
    return undefined
  }
}

/** Our side of a text-only conversation. */
async function talkText(ws: WebSocketStream, plan: Plan): Promise<OurReport> {
  const incoming = ws.messages[Symbol.asyncIterator]()
  const talker = {
    protocol: ws.protocol,
    closed: ws.whenClosed(),
    send: (message: Message) => ws.messages.write(message),
    async receive() {
      const { value, done } = await incoming.next()
      return done ? undefined : (value as Message)
    },
    close: (code: number, reason: string) => ws.close(code, reason)
  }
  const report = await converse(talker, 'us', plan, TEXTS)
  const { wasClean = false, initiator = '' } = ws.closeInfo ?? {}
  return { ...report, version: ws.version, wasClean, initiator }
}

const perl = needPeer(t, findPerl(), 'libprotocol-websocket-perl')

if (perl !== undefined) {
  const folder = writeScript(t.testdir())
  for (const version of NAMES) {
    for (const [mode, join] of SERVERS) {
      for (const manner of MANNERS[version]) {
        t.test(`${version}, request ${manner}: our ${mode} server joined by ${join}`, async t => {
          const server = await listen(t, mode, join, { allowDrafts: true }, talkText)
          const most = manner === 'whole' && mode === 'raw' ? ALL : SMALL
          // the first message can arrive before the response only if it is sent then
          const plans = plansUpTo(most).filter(({ player }) => manner !== 'glued' || player === 'peer')
          const { port } = new URL(server.origin)
          const paths = plans.map(pathOf)
          const peer = startPeer<TheirReport>(t, perl, [PEER, folder, port, VERSIONS[version], manner, ...paths])
          for (const plan of plans) {
            t.test(describe(plan), async t => {
              const [ours, theirs] = await Promise.all([server.report(), peer.next()])
              const count = (limit: number) => TEXTS.filter(({ data }) => data.length <= limit).length
              const shared = { protocol: PROTOCOL, echoed: count(plan.most) + count(BURST), faults: [] }
              const initiator = plan.closer === 'us' ? 'local' : 'peer'
              // the drafts have no close codes
              t.match(ours, { ...shared, version, code: 1005, reason: '', wasClean: true, initiator }, 'our side')
              t.match(
                theirs,
                {
                  ...shared,
                  ending: version === 'hixie-76' ? 'close' : 'end',
                  origin: `http://127.0.0.1:${port}`,
                  location: `ws://127.0.0.1:${port}${pathOf(plan)}`
                },
                'their side'
              )
            })
          }
          t.test('the client ends without an error', async t => t.equal(await peer.ended, 0))
        })
      }
    }
  }
}
