// The framing of hixie-75 and hixie-76: whole and in pieces the same texts, the same end, and nothing held between chunks.

import { DraftParser } from '../../../lib/protocol/draft-parser.js'
import { MessageJoiner } from '../../../lib/protocol/message-joiner.js'
import { Opcode } from '../../../lib/protocol/opcode.js'
import { codeOf, sameMessages } from './frames.js'
import { demand, given, pieces, type Target } from './target.js'

const SIZES = [0, 10, 1000, Number.POSITIVE_INFINITY]

function read(flags: number, chunks: Iterable<Buffer>): { messages: (string | Buffer)[]; end: string } {
  const limit = SIZES[(flags >> 1) & 3]!
  const version = (flags & 1) === 0 ? 'hixie-76' : 'hixie-75'
  const parser = new DraftParser({ version, maxFrameSize: limit })
  const joiner = new MessageJoiner({ maxMessageSize: limit, maxFragments: 1 })
  const messages: (string | Buffer)[] = []
  try {
    for (const chunk of chunks) {
      parser.push(chunk, false)
      for (let frame = parser.next(); frame !== null; frame = parser.next()) {
        if (frame.opcode === Opcode.Close) return { messages, end: 'close' }
        const message = joiner.add(frame)
        if (message !== null) messages.push(message)
      }
      demand((parser as unknown as { chunk: Buffer | null }).chunk === null, 'a chunk is held')
    }
    return { messages, end: parser.end() === null ? 'open' : 'between frames' }
  } catch (thrown) {
    return { messages, end: codeOf(thrown) }
  }
}

export const drafts: Target = {
  name: 'drafts',
  words: ['00', 'ff', 'ff00', '80', '8005', '8080', 'c3a9', '0048656c6c6fff', '01', 'eda080'].map(hex =>
    Buffer.from(hex, 'hex')
  ),
  run(input) {
    const { flags, cut, bytes } = given(input)
    const whole = read(flags, [bytes])
    const inPieces = read(flags, pieces(bytes, cut))
    const bothFail = whole.end.startsWith('WS_ERR_') && inPieces.end.startsWith('WS_ERR_')
    // if two errors are close together, pieces may show the other one first
    demand(bothFail || whole.end === inPieces.end, `'${whole.end}' for the whole, '${inPieces.end}' for pieces`)
    demand(sameMessages(whole.messages, inPieces.messages), 'pieces give other messages')
    demand(
      whole.messages.every(message => typeof message === 'string'),
      'a message that is no text'
    )
  }
}
