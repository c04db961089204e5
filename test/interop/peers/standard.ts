// The WebSocket of browsers, which undici has too, as the other side of a conversation. A page runs this too, so it must not need Node.

import { converse, type Message, OFFERED, type Plan, planOf, type Report, type Talker } from '../converse.js'
import type { ScriptMessage } from '../script.js'

/** The part of the interface that is used here. */
export interface StandardSocket {
  binaryType: string
  readonly protocol: string
  send(data: string | ArrayBufferView<ArrayBuffer>): void
  close(code?: number, reason?: string): void
  addEventListener(type: string, listener: (event: never) => void): void
}

export type StandardSocketClass = new (url: string, protocols: string[]) => StandardSocket

interface Closing {
  code: number
  reason: string
  wasClean: boolean
}

/** Connects, and runs one conversation. */
export async function talk(
  Socket: StandardSocketClass,
  url: string,
  script: readonly ScriptMessage[]
): Promise<Report> {
  const socket = new Socket(url, OFFERED)
  socket.binaryType = 'arraybuffer'
  const talker = talkerOf(socket)
  await new Promise(resolve => {
    socket.addEventListener('open', resolve)
    socket.addEventListener('close', resolve)
  })
  const plan: Plan = planOf(url)
  return converse(talker, 'peer', plan, script)
}

function talkerOf(socket: StandardSocket): Talker {
  const held: Message[] = []
  let wake = () => {}
  let over = false
  socket.addEventListener('message', ({ data }: { data: string | ArrayBuffer }) => {
    held.push(typeof data === 'string' ? data : new Uint8Array(data))
    wake()
  })
  const closed = new Promise<Closing>(resolve => {
    socket.addEventListener('close', ({ code, reason, wasClean }: Closing) => {
      over = true
      wake()
      resolve({ code, reason, wasClean })
    })
  })
  return {
    get protocol() {
      return socket.protocol
    },
    closed,
    send: message => socket.send(message as string | Uint8Array<ArrayBuffer>),
    async receive() {
      while (held.length === 0 && !over) {
        await new Promise<void>(resolve => {
          wake = resolve
        })
      }
      return held.shift()
    },
    close: (code, reason) => socket.close(code, reason)
  }
}
