// The peers written in Python, in both roles: each gets the script's folder as an argument, and prints lines of JSON.

import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { findPython, needPeer, startPeer } from '../support/peers.js'
import { ALL, agree, describe, plansUpTo, SMALL } from './agreement.js'
import { type Plan, pathOf, type Report } from './converse.js'
import { dial, type Join, listen, type Mode } from './our-side.js'
import { writeScript } from './script.js'

export interface PythonPeer {
  name: string
  /** The module it needs, and the Debian package that contains it. */
  module: string
  debianPackage: string
  /** The script in `peers/`. */
  file: string
}

const SERVERS: [Mode, Join][] = [
  ['http', 'attach'],
  ['raw', 'pipe'],
  ['raw', 'attach']
]
const JOINS: Join[] = ['attach', 'pipe']

/** Runs every conversation with one of them; `check` may examine its reports further. */
export function testPythonPeer(
  t: Test,
  peer: PythonPeer,
  check: (t: Test, theirs: Report, role: 'client' | 'server') => void = () => {}
): void {
  const python = needPeer(t, findPython(peer.module), peer.debianPackage)
  if (python === undefined) return
  const folder = writeScript(t.testdir())
  // no bytecode files beside the sources
  const start = <Line>(t: Test, ...args: string[]) => startPeer<Line>(t, python, ['-B', pathTo(peer.file), ...args])

  for (const [mode, join] of SERVERS) {
    t.test(`${peer.name} as client against our ${mode} server joined by ${join}`, async t => {
      const server = await listen(t, mode, join)
      const plans = plansUpTo(mode === 'raw' && join === 'attach' ? SMALL : ALL)
      const client = start<Report>(t, 'connect', folder, new URL(server.origin).port, ...plans.map(pathOf))
      for (const plan of plans) {
        t.test(describe(plan), async t => {
          const [ours, theirs] = await Promise.all([server.report(), client.next()])
          agree(t, plan, ours, theirs)
          check(t, theirs, 'client')
        })
      }
      t.test('the client ends without an error', async t => t.equal(await client.ended, 0))
    })
  }

  t.test(`${peer.name} as server against our client`, async t => {
    const server = start<Report & { port: number }>(t, 'serve', folder)
    const { port } = await server.next()
    for (const join of JOINS) {
      for (const plan of plansUpTo(join === 'pipe' ? ALL : SMALL)) {
        t.test(`${describe(plan)}, joined by ${join}`, async t => {
          const ours = await dial(t, `ws://127.0.0.1:${port}`, plan, join)
          const theirs = await server.next()
          agree(t, plan, ours, theirs)
          check(t, theirs, 'server')
        })
      }
    }
    t.test('a message split by fragmentSize arrives whole', async t => {
      const plan: Plan = { player: 'us', closer: 'us', most: SMALL }
      const ours = await dial(t, `ws://127.0.0.1:${port}`, plan, 'attach', { fragmentSize: 1021 })
      const theirs = await server.next()
      agree(t, plan, ours, theirs)
      check(t, theirs, 'server')
    })
  })
}

export function pathTo(file: string): string {
  return fileURLToPath(new URL(`peers/${file}`, import.meta.url))
}
