// Types of the runtime that its type packages omit.

// Node's Buffer has a method for each encoding, which skips the check of the encoding's name in toString and write
// (benchmarks/questions/decode.js, benchmarks/questions/encode.js)
interface Buffer {
  latin1Slice(start?: number, end?: number): string
  utf8Slice(start?: number, end?: number): string
  latin1Write(text: string, offset?: number, length?: number): number
  utf8Write(text: string, offset?: number, length?: number): number
}

// readable-stream has the interface of Node's streams; lib/streams.ts gives it their types
declare module 'readable-stream' {
  const streams: typeof import('node:stream')
  export default streams
}

// packages that readable-stream uses in a browser; lib/runtime/browser.ts uses the parts that Node has too
declare module 'buffer/index.js' {
  export const Buffer: BufferConstructor
  export const kMaxLength: number
}

declare module 'process/browser.js' {
  const process: { nextTick: typeof import('node:process').nextTick }
  export default process
}

// the part that lib/extensions uses
declare module 'websocket-extensions' {
  type Extension = import('./extensions/extension.js').Extension
  type Message = import('./extensions/extension.js').ExtensionMessage
  type Callback = import('./extensions/extension.js').ExtensionCallback

  export default class Extensions {
    constructor(options?: { maxLength?: number })
    add(extension: Extension): void
    generateOffer(): string | null
    activate(header: string): void
    generateResponse(header: string): string | null
    processIncomingMessage(message: Message, callback: Callback): void
    processOutgoingMessage(message: Message, callback: Callback): void
    close(callback?: () => void): void
  }
}
