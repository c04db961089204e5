// Part of npm run test:quick: those tests of the codecs that need no other process and little time, in one process.

import '../protocol/close-code.test.js'
import '../protocol/draft-parser.test.js'
import '../protocol/fragment-rules.test.js'
import '../protocol/frame.test.js'
import '../protocol/frame-writer.test.js'
import '../protocol/mask.test.js'
import '../protocol/message-splitter.test.js'
import '../protocol/opcode.test.js'
import '../protocol/prepared-message.test.js'
import '../protocol/utf8.test.js'
