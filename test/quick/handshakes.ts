// Part of npm run test:quick: those tests of handshakes that need no other process and little time, in one process.

import '../handshake/body-decoder.test.js'
import '../handshake/client-handshake.test.js'
import '../handshake/client-url.test.js'
import '../handshake/connect-handshake.test.js'
import '../handshake/draft-handshake.test.js'
import '../handshake/fields.test.js'
import '../handshake/head-parser.test.js'
import '../handshake/header-lists.test.js'
import '../handshake/http2-handshake.test.js'
import '../handshake/refusal.test.js'
import '../handshake/response-body.test.js'
import '../handshake/server-handshake.test.js'
