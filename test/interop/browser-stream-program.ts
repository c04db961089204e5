// A program that uses the WebSocketStream of browsers: it runs in a page with the browser's own, and in Node with ours. Returns what it
// saw as plain data. Imports nothing, so that a page can run it unchanged.

interface CloseInfo {
  closeCode?: number
  reason?: string
}

interface Reader {
  read(): Promise<{ value?: unknown; done: boolean }>
  cancel(reason?: unknown): Promise<void>
  closed: Promise<unknown>
}

interface Writer {
  write(chunk: unknown): Promise<void>
  close(): Promise<void>
  abort(reason?: unknown): Promise<void>
  closed: Promise<unknown>
}

interface Opened {
  readable: { getReader(): Reader }
  writable: { getWriter(): Writer }
  protocol: string
  extensions: string
}

export interface StreamLike {
  url: string
  opened: Promise<Opened>
  closed: Promise<CloseInfo>
  close(info?: CloseInfo): void
}

export type StreamClass = new (url: string, options?: { protocols?: string[]; signal?: AbortSignal }) => StreamLike
export type ErrorClass = new (message?: string, info?: CloseInfo) => Error & CloseInfo

type Step = (Stream: StreamClass, Failure: ErrorClass, url: string) => Promise<unknown> | unknown

/** The result of a promise. */
async function outcome(promise: Promise<unknown>): Promise<unknown> {
  try {
    const value = await promise
    return value === undefined ? 'done' : value
  } catch (error) {
    const { name, closeCode, reason } = error as { name: string; closeCode?: number | null; reason?: string }
    return closeCode === undefined ? name : [name, closeCode, reason]
  }
}

function thrown(run: () => unknown): unknown {
  try {
    run()
    return 'nothing'
  } catch (error) {
    return (error as Error).name
  }
}

// current browsers give an ArrayBuffer, as an older proposal said
const shown = (value: unknown): unknown =>
  typeof value === 'string'
    ? value
    : ['bytes', ...new Uint8Array(value instanceof ArrayBuffer ? value : (value as Uint8Array))]

async function open(Stream: StreamClass, url: string): Promise<{ wss: StreamLike; reader: Reader; writer: Writer }> {
  const wss = new Stream(url)
  const { readable, writable } = await wss.opened
  return { wss, reader: readable.getReader(), writer: writable.getWriter() }
}

const STEPS: Record<string, Step> = {
  async 'echoes text and bytes'(Stream, _Failure, url) {
    const { wss, reader, writer } = await open(Stream, `${url}/echo`)
    const seen: unknown[] = [wss.url === `${url}/echo`]
    const bytes = new Uint8Array([1, 2, 3, 4])
    for (const chunk of [
      'text 😀',
      '',
      bytes,
      bytes.buffer,
      new Uint16Array(bytes.buffer, 2),
      new DataView(bytes.buffer, 1),
      5,
      null
    ]) {
      await writer.write(chunk)
      seen.push(shown((await reader.read()).value))
    }
    wss.close()
    seen.push(await outcome(wss.closed))
    return seen
  },
  async 'chooses a subprotocol'(Stream, _Failure, url) {
    const wss = new Stream(`${url}/echo`, { protocols: ['other', 'chat'] })
    const { protocol, extensions } = await wss.opened
    wss.close({ closeCode: 1000 })
    return [protocol, typeof extensions, await outcome(wss.closed)]
  },
  async 'closes with what it is told'(Stream, _Failure, url) {
    const seen: unknown[] = []
    for (const info of [
      undefined,
      {},
      { reason: '' },
      { reason: 'why' },
      { closeCode: 3456 },
      { closeCode: 4999, reason: 'ü' }
    ]) {
      const { wss, reader, writer } = await open(Stream, `${url}/echo`)
      wss.close(info)
      seen.push(await outcome(wss.closed), (await reader.read()).done, await outcome(writer.write('more')))
    }
    return seen
  },
  async 'refuses what cannot be sent'(Stream, Failure, url) {
    const { wss } = await open(Stream, `${url}/echo`)
    const seen = [
      ...[999, 1001, 2999, 5000].map(closeCode => thrown(() => wss.close({ closeCode }))),
      thrown(() => wss.close({ reason: 'x'.repeat(124) })),
      thrown(() => wss.close(true as never)),
      thrown(() => new Stream('invalid:')),
      thrown(() => new Stream(`${url}/`, true as never)),
      thrown(() => new Failure('', { closeCode: 999 })),
      thrown(() => new Failure('', { reason: 'x'.repeat(124) }))
    ]
    wss.close()
    await outcome(wss.closed)
    return seen
  },
  async 'closes when its writable is closed'(Stream, _Failure, url) {
    const { wss, reader, writer } = await open(Stream, `${url}/echo`)
    await writer.write('last')
    const seen = [shown((await reader.read()).value)]
    const closing = outcome(writer.close())
    seen.push((await reader.read()).done)
    return [...seen, await closing, await outcome(wss.closed), await outcome(writer.closed)]
  },
  async 'closes when a stream is not wanted'(Stream, Failure, url) {
    const seen: unknown[] = []
    const reasons = [
      undefined,
      { closeCode: 3456, reason: 'set' },
      new Failure('m', { closeCode: 3333, reason: 'so' }),
      new Failure('m')
    ]
    for (const reason of reasons) {
      const one = await open(Stream, `${url}/echo`)
      seen.push(await outcome(one.writer.abort(reason)), await outcome(one.wss.closed))
      const two = await open(Stream, `${url}/echo`)
      seen.push(await outcome(two.reader.cancel(reason)), await outcome(two.wss.closed))
    }
    return seen
  },
  async 'hears of the other side’s close'(Stream, _Failure, url) {
    const seen: unknown[] = []
    for (const query of ['', 'code=1000', 'code=4000&reason=enough']) {
      const { wss, reader, writer } = await open(Stream, `${url}/close?${query}`)
      seen.push(await outcome(wss.closed), (await reader.read()).done, await outcome(writer.write('more')))
    }
    return seen
  },
  async 'fails where the connection is cut'(Stream, _Failure, url) {
    const { wss, reader, writer } = await open(Stream, `${url}/cut`)
    return [
      await outcome(wss.closed),
      await outcome(reader.read()),
      await outcome(reader.closed),
      await outcome(writer.write('more'))
    ]
  },
  async 'fails where there is no connection'(Stream, _Failure, url) {
    const seen: unknown[] = []
    const refused = new Stream(`${url}/refuse`)
    seen.push(await outcome(refused.opened), await outcome(refused.closed))
    const early = new Stream(`${url}/echo`)
    early.close()
    seen.push(await outcome(early.opened), await outcome(early.closed))
    return seen
  },
  async 'ends the handshake by a signal'(Stream, _Failure, url) {
    const seen: unknown[] = []
    const aborted = new Stream(`${url}/echo`, { signal: AbortSignal.abort() })
    seen.push(await outcome(aborted.opened), await outcome(aborted.closed))
    const control = new AbortController()
    const slow = new Stream(`${url}/slow`, { signal: control.signal })
    control.abort()
    seen.push(await outcome(slow.opened), await outcome(slow.closed))
    const later = new AbortController()
    const open = new Stream(`${url}/echo`, { signal: later.signal })
    const { readable, writable } = await open.opened
    later.abort()
    const writer = writable.getWriter()
    await writer.write('still here')
    seen.push((await readable.getReader().read()).value)
    open.close()
    seen.push(await outcome(open.closed))
    return seen
  },
  async 'waits for a reader'(Stream, _Failure, url) {
    const { wss, reader, writer } = await open(Stream, `${url}/slow-reader`)
    const piece = new Uint8Array(2 ** 20)
    let taken = 0
    let waiting = false
    const writing = (async () => {
      for (let i = 0; i < 48; i++) {
        await writer.write(piece)
        taken++
      }
    })()
    // no event says that nothing happens
    for (let before = -1; before !== taken || taken === 0; ) {
      before = taken
      await new Promise(resolve => setTimeout(resolve, 300))
    }
    waiting = taken < 48
    await outcome(fetchLike(url))
    await writing
    const { value } = await reader.read()
    wss.close()
    await outcome(wss.closed)
    return [waiting, taken, value]
  }
}

/** Makes the server read what it has not read yet. */
let release: (url: string) => Promise<unknown>
const fetchLike = (url: string): Promise<unknown> => release(url)

export async function run(Stream: StreamClass, Failure: ErrorClass, url: string): Promise<Record<string, unknown>> {
  release = async base => fetch(`${base.replace(/^ws/, 'http')}/release`).then(response => response.text())
  const seen: Record<string, unknown> = {}
  for (const [name, step] of Object.entries(STEPS)) {
    const late = new Promise(resolve => setTimeout(() => resolve('it took too long'), 15_000))
    seen[name] = await Promise.race([outcome(Promise.resolve(step(Stream, Failure, url))), late])
  }
  return seen
}
