// The types that jsonMessages and reconnect infer, and that mistakes are errors. Only the types are checked: nothing here runs.

import { pipeline } from 'node:stream/promises'
import {
  type JsonOptions,
  type JsonView,
  jsonMessages,
  type ReconnectOptions,
  type RetryInfo,
  reconnect,
  type WebSocketError,
  type WebSocketStream
} from '../../../lib/index.js'
import { same } from './same.js'

interface Request {
  method: string
}

interface Answer {
  result: number
}

/** The interface of schema libraries. */
interface Schema<T> {
  parse(value: unknown): T
  parseAsync(value: unknown): Promise<T>
}

export async function json(ws: WebSocketStream, schema: Schema<Request>): Promise<void> {
  const typed = jsonMessages(ws, { validate: value => schema.parse(value) })
  same<typeof typed, JsonView<Request, unknown>>(true)
  for await (const request of typed) same<typeof request, Request>(true)
  typed.on('data', request => same<typeof request, Request>(true))
  typed.once('data', request => same<typeof request, Request>(true))
  typed.on('end', () => {}).on('drain', () => {})
  const later = jsonMessages(ws, { validate: value => schema.parseAsync(value) })
  same<typeof later, JsonView<Request, unknown>>(true)

  const both = jsonMessages<Request, Answer>(ws, { validate: schema.parse })
  for await (const { method } of both) {
    both.write({ result: method.length }, error => same<typeof error, Error | null | undefined>(true))
    // @ts-expect-error not an outgoing value
    both.write({ method })
    // @ts-expect-error neither at the end
    both.end({ method })
  }
  both.end({ result: 1 })
  await pipeline(both, async function* (source) {
    for await (const request of source) {
      same<typeof request, Request>(true)
      yield request
    }
  })

  // without validate, values have the type of JSON.parse
  const any = jsonMessages(ws)
  for await (const value of any) same<typeof value, any>(true)
  any.write({ whatever: [1, null] })

  const options: JsonOptions<Request> = {
    onInvalid(error, message) {
      same<typeof error, WebSocketError>(true)
      same<typeof message, string | Buffer>(true)
    }
  }
  jsonMessages(ws, options)
  // @ts-expect-error no such option
  jsonMessages(ws, { schema })
}

export async function again(signal: AbortSignal): Promise<void> {
  for await (const ws of reconnect('ws://localhost/', { signal, protocols: ['chat'] })) {
    same<typeof ws, WebSocketStream>(true)
  }
  const options: ReconnectOptions = {
    headers: async () => ({ Authorization: 'Bearer token' }),
    keepalive: false,
    initialDelay: 100,
    maxDelay: undefined,
    retry: (error, attempt) => (error.name === 'TypeError' ? false : attempt < 10 ? true : undefined),
    onRetry: info => same<typeof info, RetryInfo>(true)
  }
  const connections = reconnect(async () => new URL('ws://localhost/'), options)
  const { value, done } = await connections.next()
  if (done !== true) same<typeof value, WebSocketStream>(true)
  // @ts-expect-error no such option
  reconnect('ws://localhost/', { maxRetries: 5 })
  // @ts-expect-error a number is not a URL
  reconnect(() => 5)
}
