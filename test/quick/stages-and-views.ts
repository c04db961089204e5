// Part of npm run test:quick: those tests of stages and views that need no other process and little time, in one process.

import '../stages/extension-transform.test.js'
import '../stages/frame-encoder.test.js'
import '../stages/handshake-transform.test.js'
import '../stages/message-fragmenter.test.js'
import '../stages/pipes.test.js'
import '../stages/queue.test.js'
import '../views/bytes.test.js'
import '../inbound/delivery.test.js'
import '../views/pieces-and-memory.test.js'
import '../inbound/message-receiver.test.js'
import '../inbound/stream-assembler.test.js'
import '../views/web-streams.test.js'
