// Python's `websockets`, in both roles.

import t from 'tap'
import { testPythonPeer } from './python-peers.js'

testPythonPeer(t, {
  name: 'python-websockets',
  module: 'websockets',
  debianPackage: 'python3-websockets',
  file: 'websockets_peer.py'
})
