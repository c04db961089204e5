// What observers can subscribe to, by node:diagnostics_channel, and the trace that NODE_DEBUG asks for. Both cost nothing where
// no one does: one look at a flag for each batch.

import type { Channel } from 'node:diagnostics_channel'
import type { Frame } from './protocol/frame.js'

/* c8 ignore start - what stands behind ?. and ?? is for browsers, where neither process nor the module is */
/** Where nothing can be subscribed to, as in a browser. */
const SILENT: Pick<Channel, 'hasSubscribers' | 'publish'> = { hasSubscribers: false, publish() {} }

const module = globalThis.process?.getBuiltinModule?.('node:diagnostics_channel')
const channel = (name: string): typeof SILENT => module?.channel(`websocket-duplex:${name}`) ?? SILENT
const { NODE_DEBUG = '' } = globalThis.process?.env ?? {}
/* c8 ignore stop */

/**
 * The channels, each named `websocket-duplex:` and its name here. Every message has the WebSocketStream in `stream`, and: `handshake`
 * `role`, `url` and `request` (null for a client), when the handshake begins; `open` `info` (OpenInfo); `frame` `direction`
 * (`'received'` or `'sent'`) and `frame`, for frames and parts of frames; `error` `error`; `close` `info` (CloseInfo) and `stats`.
 */
export const channels = {
  handshake: channel('handshake'),
  open: channel('open'),
  frame: channel('frame'),
  error: channel('error'),
  close: channel('close')
}

/** What one of the frames channel's messages is about. */
export interface FrameEvent {
  readonly stream: object
  readonly direction: 'received' | 'sent'
  readonly frame: Frame
}

/** Whether `NODE_DEBUG` names `websocket-duplex`: then each stage says on standard error what it hands on. */
export const isTraced = NODE_DEBUG.split(/[\s,]+/).some(name => name.toLowerCase() === 'websocket-duplex')

/** Says what a stage hands on. */
export function trace(stage: string, batch: readonly unknown[]): void {
  console.error(`WEBSOCKET-DUPLEX ${process.pid}: ${stage} → ${batch.map(describe).join(', ')}`)
}

function describe(item: unknown): string {
  if (typeof item === 'string') return `text of ${item.length} characters`
  if (item instanceof Uint8Array) return `${item.length} bytes`
  const { opcode, fin, rsv, offset, size, length } = item as Frame
  const part = size === length ? '' : ` of ${length} from ${offset}`
  return `frame ${opcode}${fin ? ' fin' : ''}${rsv === 0 ? '' : ` rsv ${rsv}`} ${size} bytes${part}`
}
