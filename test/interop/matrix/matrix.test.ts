// The peers of the matrix with no test of their own, if they are quick to install. `npm run interop` runs all of them.

import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { needPeer } from '../../support/peers.js'
import { CHECK_NAMES, CHECKS } from './checks.js'
import { examine } from './examine.js'
import { PEERS, type Peer } from './peers.js'
import { longTable, putBetween, type Row, shortTable, verdictOf } from './table.js'

const HERE = dirname(fileURLToPath(import.meta.url))
const NAMES = ['websocket-driver', 'aiohttp', 'websocket-driver for Ruby', 'Mojolicious', 'gorilla/websocket']
const peers = NAMES.map(name => PEERS.find(peer => peer.name === name)!)

for (const peer of peers) {
  t.test(peer.name, { timeout: 90_000 }, async t => {
    const cache = t.testdir()
    const program = peer.find({ programs: join(HERE, 'peers'), cache })
    if (needPeer(t, program?.command, (peer.debian ?? peer.npm ?? []).join(' ')) === undefined) return
    for (const role of peer.roles) {
      t.test(`as ${role}`, async t => {
        const able = CHECK_NAMES.filter(name => peer.lacks[name] === undefined)
        const row: Row = { peer, role, examination: await examine(t, program!, role, able) }
        t.match(row.examination!.version, /^\d+\.\d+/)
        for (const name of able) {
          const [verdict, words] = verdictOf(row, name)
          t.not(verdict, 'failed', `${CHECKS[name].title}: ${words === '' ? verdict : words}`)
        }
      })
    }
  })
}

t.test('the table has a sign for each check, and an explanation for each that fails', async t => {
  const peer: Peer = {
    name: 'toy',
    roles: ['server', 'client'],
    lacks: { pongs: 'it has none' },
    differences: [{ check: 'closing', role: 'server', sign: /no reason/, words: 'as it may' }],
    find: () => undefined
  }
  const outcomes = { closing: 'no reason' }
  const rows: Row[] = [
    { peer, role: 'server', examination: { version: '1.0', outcomes } },
    { peer, role: 'client', examination: { version: '1.0', outcomes } },
    { peer: { ...peer, name: 'absent' }, role: 'server' }
  ]
  const [, , server, client, absent, , ...notes] = longTable(rows).split('\n')
  t.match(server, /^\| toy \| 1\.0 \| server \| ✔ .* – 1 \| ≠ 2 \| ✔ /)
  t.match(client, /^\| toy \| 1\.0 \| client \| ✔ .* – 1 \| ✘ 3 \| ✔ /)
  t.match(absent, /^\| absent \| not installed \| server \| {2}\|/)
  t.strictSame(notes, ['1. it has none', '2. as it may', '3. no reason'])
  t.match(shortTable(rows), /\| toy \| 1\.0 \| 8 of 9 \| 8 of 9 \|$/)
})

t.test('only the text between the markers is replaced', async t => {
  const document = 'above\n<!-- matrix -->\nold\n<!-- /matrix -->\nbelow\n'
  t.equal(putBetween(document, 'matrix', 'new'), 'above\n<!-- matrix -->\nnew\n<!-- /matrix -->\nbelow\n')
  t.throws(() => putBetween(document, 'other', 'new'), /no <!-- other -->/)
})
