// permessage-deflate on the input of a peer, compressed or only claimed to be: whole and in pieces it becomes the same messages, within the
// limits, or is refused.

import { IncomingCodec } from '../../../lib/extensions/incoming-codec.js'
import { FrameParser } from '../../../lib/protocol/frame-parser.js'
import { MessageJoiner } from '../../../lib/protocol/message-joiner.js'
import { isControl, Opcode } from '../../../lib/protocol/opcode.js'
import { codeOf, sameMessages } from './frames.js'
import { demand, given, pieces, type Target } from './target.js'

const SIZES = [0, 100, 1000, 2 ** 20]
const WINDOWS = [8, 9, 12, 15]
const RSV1 = 4

const windowOf = (flags: number): number => WINDOWS[(flags >> 2) & 3]!

function read(flags: number, chunks: Iterable<Buffer>): { messages: (string | Buffer)[]; error: string } {
  const maxMessageSize = SIZES[flags & 3]!
  const kind = { does: 'inflate', windowBits: windowOf(flags) } as const
  const codec = new IncomingCodec({ kind, contextTakeover: (flags & 16) !== 0, concurrency: 1 }, maxMessageSize)
  const parser = new FrameParser({ masked: (flags & 32) !== 0, maxFrameSize: Number.POSITIVE_INFINITY })
  parser.allowedRsv = RSV1
  const joiner = new MessageJoiner({ maxMessageSize, maxFragments: 100 })
  const messages: (string | Buffer)[] = []
  let error = ''
  try {
    for (const chunk of chunks) {
      parser.push(chunk, false)
      for (let frame = parser.next(); frame !== null; frame = parser.next()) {
        if (isControl(frame.opcode)) continue
        // RFC 7692 §6: the previous stage ensures that only a message's first frame is marked
        if (frame.opcode === Opcode.Continuation && frame.rsv !== 0) return { messages, error: 'marked' }
        codec.push(frame)
        for (let piece = codec.next(); piece !== null; piece = codec.next()) {
          demand(piece.rsv === 0, 'a reserved bit that was not taken away')
          const message = joiner.add(piece)
          if (message !== null) messages.push(message)
        }
        demand(!codec.busy, 'so little work for the thread pool')
      }
    }
  } catch (thrown) {
    error = codeOf(thrown)
  } finally {
    codec.close()
  }
  return { messages, error }
}

export const deflate: Target = {
  name: 'deflate',
  words: ['c100', 'c105', '4100', '8000', '0000ffff', '010000ffff', '00', 'f248cdc9c907', '8105', 'ed', '63606060'].map(
    hex => Buffer.from(hex, 'hex')
  ),
  run(input) {
    const { flags, cut, bytes } = given(input)
    const whole = read(flags, [bytes])
    const inPieces = read(flags, pieces(bytes, cut))
    // zlib notices a distance beyond a small window only when that part of the window has been overwritten
    if (windowOf(flags) < 15 && [whole, inPieces].some(({ error }) => error === 'WS_ERR_INVALID_COMPRESSED_DATA'))
      return
    // if two errors are close together, pieces may show the other one first
    demand((whole.error === '') === (inPieces.error === ''), `'${whole.error}' and '${inPieces.error}' for pieces`)
    demand(sameMessages(whole.messages, inPieces.messages), 'pieces give other messages')
    const most = SIZES[flags & 3]!
    demand(
      whole.messages.every(message => Buffer.byteLength(message) <= most),
      'a message over the limit'
    )
  }
}
