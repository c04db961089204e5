// `npm run interop`: parses the arguments, tests every peer in both roles, and writes the tables.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestLike } from '../../support/peers.js'
import { CHECK_NAMES, CHECKS } from './checks.js'
import { examine } from './examine.js'
import { PEERS, type Peer, type Place } from './peers.js'
import { failuresOf, longTable, putBetween, type Row, shortTable, verdictOf } from './table.js'

const GUIDE = 'docs/interop.md'

/** The peers to choose from, by the names under which npm installs them. */
export function chosen(names: readonly string[]): readonly Peer[] {
  const unknown = names.filter(name => !PEERS.some(peer => peer.name === name))
  if (unknown.length > 0)
    throw new Error(`no such peer: ${unknown}; there are ${PEERS.map(({ name }) => name).join(', ')}`)
  return names.length === 0 ? PEERS : PEERS.filter(({ name }) => names.includes(name))
}

/**
 * Tests peers one after the other. The tables are written only if all of them were requested.
 * @returns the exit status
 */
export async function main(names: readonly string[], root: string, place: Place): Promise<number> {
  const teardowns: (() => unknown)[] = []
  const t: TestLike = { pass() {}, fail() {}, teardown: fn => teardowns.push(fn) }
  const rows: Row[] = []
  try {
    for (const peer of chosen(names)) rows.push(...(await examinePeer(t, peer, place)))
  } finally {
    for (const fn of teardowns) await fn()
  }
  if (names.length === 0) write(root, rows)
  const failures = failuresOf(rows)
  for (const failure of failures) console.log(failure)
  return failures.length > 0 ? 1 : 0
}

async function examinePeer(t: TestLike, peer: Peer, place: Place): Promise<Row[]> {
  const program = peer.find(place)
  if (program === undefined) {
    const cure = peer.debian === undefined ? `npm install ${peer.npm}` : `apt-get install ${peer.debian.join(' ')}`
    console.log(`– ${peer.name}: not installed (${cure})`)
    return peer.roles.map(role => ({ peer, role }))
  }
  const rows: Row[] = []
  for (const role of peer.roles) {
    const able = CHECK_NAMES.filter(name => peer.lacks[name] === undefined)
    const row: Row = await examine(t, program, role, able).then(
      examination => ({ peer, role, examination }),
      error => ({ peer, role, fault: (error as Error).message.split('\n', 2).join(' ') })
    )
    rows.push(row)
    console.log(describe(row))
  }
  return rows
}

function describe(row: Row): string {
  if (row.fault !== undefined) return `✘ ${row.peer.name} as ${row.role}: ${row.fault}`
  const verdicts = CHECK_NAMES.map(name => [CHECKS[name].title, ...verdictOf(row, name)] as const)
  const others = verdicts.filter(([, verdict]) => verdict === 'differs' || verdict === 'failed')
  const signs = others.map(([title, verdict, words]) => `\n    ${verdict === 'failed' ? '✘' : '≠'} ${title}: ${words}`)
  const head = `${row.peer.name} ${row.examination!.version} as ${row.role}`
  return `${others.some(([, verdict]) => verdict === 'failed') ? '✘' : '✔'} ${head}${signs.join('')}`
}

function write(root: string, rows: readonly Row[]): void {
  const guide = join(root, GUIDE)
  const text = putBetween(readFileSync(guide, 'utf8'), 'summary', shortTable(rows))
  writeFileSync(guide, putBetween(text, 'matrix', longTable(rows)))
}
