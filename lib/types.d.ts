// What the runtime has and its type packages leave out.

// Node's Buffer has one method for each encoding, without the look at the encoding's name that toString and write begin with
// (benchmarks/questions/decode.js, benchmarks/questions/encode.js)
interface Buffer {
  latin1Slice(start?: number, end?: number): string
  utf8Slice(start?: number, end?: number): string
  latin1Write(text: string, offset?: number, length?: number): number
  utf8Write(text: string, offset?: number, length?: number): number
}

// readable-stream follows Node's streams, and Node's types describe it; lib/streams.ts gives them to it
declare module 'readable-stream' {
  const streams: typeof import('node:stream')
  export default streams
}

// the packages that readable-stream takes with it to a browser; lib/runtime/browser.ts uses of them what Node has too
declare module 'buffer/index.js' {
  export const Buffer: BufferConstructor
  export const kMaxLength: number
}

declare module 'process/browser.js' {
  const process: { nextTick: typeof import('node:process').nextTick }
  export default process
}

// what lib/extensions uses of it
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
