// The messages view: an object-mode Duplex of whole messages, strings for text, Buffers for binary.

import type { Message } from '../protocol/message-joiner.js'
import type { Outgoing } from '../protocol/message-splitter.js'
import type { Written } from '../stages/frame-encoder.js'
import { View } from './view.js'

/**
 * Whole messages. `write` takes strings, ArrayBufferViews, ArrayBuffers and results of `prepareMessage`, and returns false while the wire
 * is full; its callback runs when the wire has written the message, and the caller may then reuse the memory. `end` closes with 1000. The
 * readable side ends after a clean close; after any other it is destroyed with an error, once everything that arrived has been read. With
 * `textAs: 'bytes'` text messages are TextBytes.
 */
export class MessagesView extends View<Outgoing, Message> {
  protected override send(message: Outgoing, written: Written | null): boolean {
    return this.owner.sendItem(message, written)
  }
}
