// The channels of node:diagnostics_channel, and the trace of NODE_DEBUG. Without subscribers or trace, they cost one check of a flag for
// each batch.

import type { Channel } from 'node:diagnostics_channel'
import type { Frame } from './protocol/frame.js'

/* c8 ignore start - a browser has neither process nor this module */
/** A channel without subscribers, for browsers. */
const SILENT: Pick<Channel, 'hasSubscribers' | 'publish'> = { hasSubscribers: false, publish() {} }

const module = globalThis.process?.getBuiltinModule?.('node:diagnostics_channel')
const channel = (name: string): typeof SILENT => module?.channel(`websocket-duplex:${name}`) ?? SILENT
const { NODE_DEBUG = '' } = globalThis.process?.env ?? {}
/* c8 ignore stop */

/**
 * The channels; their names are `websocket-duplex:` and the key here. Every message has the WebSocketStream in `stream`. In addition,
 * `handshake` has `role`, `url` and `request` (null for a client), and is sent when the handshake starts; `open` has `info` (OpenInfo);
 * `frame` has `direction` (`'received'` or `'sent'`) and `frame`, for frames and parts of frames; `error` has `error`; `close` has `info`
 * (CloseInfo) and `stats`.
 */
export const channels = {
  handshake: channel('handshake'),
  open: channel('open'),
  frame: channel('frame'),
  error: channel('error'),
  close: channel('close')
}

/** A message of the `frame` channel. */
export interface FrameEvent {
  readonly stream: object
  readonly direction: 'received' | 'sent'
  readonly frame: Frame
}

/** Whether `NODE_DEBUG` contains `websocket-duplex`: then each stage writes to standard error what it passes on. */
export const isTraced = NODE_DEBUG.split(/[\s,]+/).some(name => name.toLowerCase() === 'websocket-duplex')

/** Writes to standard error what a stage passes on. */
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
