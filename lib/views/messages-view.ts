// The application's side as an object-mode Duplex of whole messages: strings for text, Buffers for binary.

import type { Message } from '../protocol/message-joiner.js'
import type { Outgoing } from '../protocol/message-splitter.js'
import type { Written } from '../stages/frame-encoder.js'
import { View } from './view.js'

/**
 * Whole messages. `write` takes strings, ArrayBufferViews, ArrayBuffers and what `prepareMessage` made, and says false while the
 * wire is blocked; its callback comes when the wire has written the message, and the memory is the caller's again. `end` closes with 1000. The readable side ends after a clean
 * close, and is destroyed with an error after any other, once all that had arrived is read. With `textAs: 'bytes'` text comes as TextBytes.
 */
export class MessagesView extends View<Outgoing, Message> {
  protected override send(message: Outgoing, written: Written | null): boolean {
    return this.owner.sendItem(message, written)
  }
}
