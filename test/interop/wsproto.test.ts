// Python's `wsproto` checks every byte that this library sends, in both roles: its state machine refuses what
// RFC 6455 forbids, and a walk over the frame headers checks masks, lengths, reserved bits and control frames.

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { findPython, needPeer } from '../support/peers.js'
import type { Report } from './converse.js'
import { pathTo, testPythonPeer } from './python-peers.js'

interface Judgement extends Report {
  frames: number
  masks: number
}

t.test('the scan of frame headers finds errors', async t => {
  const python = needPeer(t, findPython('unittest'), 'python3')
  if (python) await t.resolves(promisify(execFile)(python, ['-B', pathTo('test_frame_walk.py')]))
})

testPythonPeer(
  t,
  { name: 'wsproto', module: 'wsproto', debianPackage: 'python3-wsproto', file: 'wsproto_peer.py' },
  (t, theirs, role) => {
    const { frames, masks } = theirs as Judgement
    t.ok(frames > theirs.echoed, `${frames} frames were looked at`)
    if (role === 'client') t.equal(masks, 0, 'a server does not mask')
    else t.ok(masks >= frames - 3, `${masks} masks for as many frames`)
  }
)
