// The options of both programs that the Autobahn suite talks to.

import { permessageDeflate } from '../../../dist/index.js'

export const OPTIONS = {
  // group 13 offers windows of every size, and wants context taken over where it is agreed on
  extensions: [permessageDeflate({ windowBits: 15, peerWindowBits: 15, threshold: 0 })],
  // group 9.3 and 9.4 send 4 MiB in fragments of 64 bytes, which are more than the default allows
  maxFragments: 2 ** 17
}
