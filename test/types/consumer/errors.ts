// Errors and the constants of the protocol. Only the types are checked: nothing here runs.

import {
  CloseCode,
  type ErrorCode,
  Frame,
  HandshakeError,
  type Headers,
  Opcode,
  WebSocketError
} from '../../../lib/index.js'
import { same } from './same.js'

export function errors(error: unknown): void {
  if (error instanceof HandshakeError) {
    same<typeof error.status, number>(true)
    same<typeof error.headers, Headers>(true)
    same<typeof error.body, Buffer>(true)
    const wider: WebSocketError = error
    void wider
  }
  if (error instanceof WebSocketError) {
    const plain: Error = error
    same<typeof error.code, ErrorCode>(true)
    same<typeof error.closeCode, number>(true)
    same<typeof error.fault, 'local' | 'peer'>(true)
    if (error.code === 'WS_ERR_INVALID_UTF8') console.log(error.message)
    // @ts-expect-error no such code
    if (error.code === 'WS_ERR_NO_SUCH') console.log(error.message)
    // @ts-expect-error it is read-only
    error.code = 'WS_ERR_ABORTED'
    void plain
  }
  new WebSocketError('WS_ERR_ABORTED', { detail: 'by hand', cause: error, fault: 'local' })
  // @ts-expect-error no such code
  new WebSocketError('WS_ERR_NO_SUCH')
}

export function constants(): void {
  const code: CloseCode = CloseCode.GoingAway
  same<typeof CloseCode.Normal, 1000>(true)
  same<typeof Opcode.Text, 1>(true)
  const frame = new Frame(Opcode.Binary, Buffer.alloc(1))
  same<typeof frame.payload, Buffer>(true)
  same<typeof frame.fin, boolean>(true)
  // @ts-expect-error no such close code
  const wrong: CloseCode = 5
  // @ts-expect-error no such opcode
  new Frame(7, Buffer.alloc(1))
  void [code, wrong]
}
