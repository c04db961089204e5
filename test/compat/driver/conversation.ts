// A random conversation, the same for npm's websocket-driver and for the replacement: the bytes of a peer in random chunks, and calls of the
// application in between. Returns what each driver emitted and sent, in a form in which both must be equal.

import { ANSWER, BODY, request75, request76 } from '../../support/draft-requests.js'
import { random as randomFrom } from '../../support/frames.js'
import { closeBody, requestFields, requestHead, wireFrame } from '../../support/raw-peer.js'
import { answerTo, readFrames } from './seen.js'

/** The part of both drivers that a conversation uses. */
export interface AnyDriver {
  readonly io: { write(chunk: Uint8Array): boolean; on(event: 'data', listener: (chunk: Buffer) => void): unknown }
  readonly messages: {
    on(event: string, listener: (value: unknown) => void): unknown
    write(message: unknown): boolean
  }
  readonly version: string
  readonly protocol: string | null | undefined
  readonly statusCode?: number
  readonly method?: string
  readonly url: string
  readonly body?: Buffer
  on(event: string, listener: (value: any) => void): unknown
  start(): boolean
  text(message: unknown): boolean
  binary(message: unknown): boolean
  ping(message?: string, callback?: () => void): boolean
  pong(message?: string): boolean
  close(reason?: string, code?: number): boolean
  setHeader(name: string, value: string): boolean
  getState(): string | null
}

export interface AnyPackage {
  http(request: object, options?: object): AnyDriver
  server(options?: object): AnyDriver
  client(url: string, options?: object): AnyDriver
}

type Random = () => number
type Kind = 'http' | 'server' | 'client' | 'hixie-75' | 'hixie-76'

/** What happens next: bytes arrive, or the application calls a method. */
type Step = Buffer | ((driver: AnyDriver, log: (entry: unknown) => void) => void)

interface Plan {
  readonly kind: Kind
  readonly options: { protocols?: string[]; maxLength?: number }
  readonly offered: string
  readonly early: Step[]
  readonly steps: Step[]
}

const pick = <T>(random: Random, ...choices: readonly T[]): T => choices[Math.floor(random() * choices.length)]!
const upTo = (random: Random, most: number): number => Math.floor(random() * (most + 1))

const CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 4999]
const LETTERS = [...'abc xyzäöé☃\u{1f600}']

function text(random: Random, most: number): string {
  return Array.from({ length: upTo(random, most) }, () => pick(random, ...LETTERS)).join('')
}

function payload(random: Random): Buffer {
  const size = pick(
    random,
    0,
    1,
    upTo(random, 125),
    upTo(random, 300),
    upTo(random, 300),
    126,
    66_000 * (random() < 0.1 ? 1 : 0)
  )
  const pattern = Array.from({ length: 7 }, () => upTo(random, 255))
  return Buffer.alloc(size, Buffer.from(pattern))
}

function planOf(seed: number): Plan {
  const random = randomFrom(seed)
  const kind = pick<Kind>(random, 'http', 'http', 'server', 'server', 'client', 'client', 'hixie-75', 'hixie-76')
  const maxLength = random() < 0.2 ? 200 : undefined
  const protocols = random() < 0.3 ? ['one', 'two'] : undefined
  const isDraft = kind.startsWith('hixie')
  const steps = isDraft ? draftSteps(random, kind) : steps13(random, kind, maxLength)
  return {
    kind,
    options: { ...(protocols && { protocols }), ...(maxLength && { maxLength }) },
    offered: protocols ? pick(random, 'two', 'none, one', 'three') : '',
    // theirs keeps a reference to the memory of messages that wait
    early: random() < 0.3 ? Array.from({ length: 3 }, () => act(random, kind, false)) : [],
    steps
  }
}

/** Frames of the peer between calls of the application, up to a Close or an error. */
function steps13(random: Random, kind: Kind, maxLength = 2 ** 26 - 1): Step[] {
  const isClient = kind === 'client'
  const masked = !isClient
  const frame = (opcode: number, data: Uint8Array | string, changes = {}): Buffer =>
    wireFrame(opcode, data, { masked, ...changes })
  const steps: Step[] = []
  for (let count = upTo(random, 8); count > 0; count--) {
    const isText = random() < 0.5
    const whole = isText ? Buffer.from(text(random, 60)) : payload(random)
    const data = whole.subarray(0, isText ? whole.length : maxLength)
    const parts = random() < 0.3 ? 1 + upTo(random, 3) : 1
    const frames: Buffer[] = []
    for (let part = 0; part < parts; part++) {
      const from = Math.floor((data.length * part) / parts)
      const to = Math.floor((data.length * (part + 1)) / parts)
      frames.push(frame(part > 0 ? 0 : isText ? 1 : 2, data.subarray(from, to), { fin: part === parts - 1 }))
      if (random() < 0.2) frames.push(frame(pick(random, 9, 10), text(random, 20)))
    }
    steps.push(...chunks(random, Buffer.concat(frames)))
    while (random() < 0.4) steps.push(act(random, kind))
  }
  const isClosing = random() < 0.3
  if (isClosing) steps.push(close(random))
  const end = random()
  if (end < 0.5) {
    const code = pick(random, 0, ...CODES)
    const body = code === 0 ? Buffer.alloc(0) : closeBody(code, text(random, 20))
    // data after a Close is dropped
    steps.push(...chunks(random, Buffer.concat([frame(8, body), random() < 0.3 ? frame(1, 'late') : Buffer.alloc(0)])))
  } else if (end < 0.8 && !isClosing) {
    // theirs ignores errors after its own Close
    steps.push(
      pick(
        random,
        frame(1, 'x', { rsv: pick(random, 1, 2, 4) }),
        frame(pick(random, 3, 7, 11, 15), ''),
        frame(9, 'x', { fin: false }),
        frame(9, 'x'.repeat(126)),
        frame(0, 'x'),
        Buffer.concat([frame(1, 'x', { fin: false }), frame(1, 'y')]),
        frame(1, Buffer.from([0xc3, 0x28])),
        frame(2, '', { declared: 2 ** 27 }),
        ...(isClient ? [] : [frame(1, 'x', { masked: false })])
      )
    )
  }
  while (random() < 0.4) steps.push(act(random, kind))
  return steps
}

function draftSteps(random: Random, kind: Kind): Step[] {
  const steps: Step[] = []
  for (let count = upTo(random, 6); count > 0; count--) {
    const bytes = Buffer.concat([Buffer.from([0]), Buffer.from(text(random, 40)), Buffer.from([0xff])])
    steps.push(...chunks(random, bytes))
    while (random() < 0.4) steps.push(act(random, kind))
  }
  if (random() < 0.5) steps.push(close(random))
  while (random() < 0.4) steps.push(act(random, kind))
  return steps
}

function chunks(random: Random, bytes: Buffer): Buffer[] {
  const most = pick(random, bytes.length, bytes.length, 1 + upTo(random, 20), 1 + upTo(random, 500))
  if (bytes.length > 2000 && most < 100) return [bytes]
  const parts: Buffer[] = []
  for (let at = 0; at < bytes.length; at += most) parts.push(bytes.subarray(at, at + most))
  return parts
}

function close(random: Random): Step {
  const [reason, code] = [text(random, 20), pick(random, ...CODES)]
  const isPlain = random() < 0.3
  return (driver, log) => log(['close()', isPlain ? driver.close() : driver.close(reason, code)])
}

/** A call of the application; theirs has no pong on the driver that server() returns. */
function act(random: Random, kind: Kind, reuses = true): Step {
  const isDraft = kind.startsWith('hixie')
  const said = text(random, 50)
  const bytes = payload(random)
  const short = text(random, 20)
  const byStream = random() < 0.2
  switch (pick(random, 'text', 'text', 'binary', 'array', 'ping', 'pong')) {
    case 'text':
      return (driver, log) => log(['text()', byStream ? driver.messages.write(said) : driver.text(said)])
    case 'binary':
      if (isDraft) break
      return (driver, log) => {
        // the application may reuse its memory at once
        const own = Buffer.from(bytes)
        log(['binary()', byStream ? driver.messages.write(own) : driver.binary(own)])
        if (reuses) own.fill(0)
      }
    case 'array':
      if (isDraft) break
      return (driver, log) => log(['binary()', driver.binary([...bytes.subarray(0, 50)])])
    case 'ping':
      return (driver, log) => log(['ping()', driver.ping(short, () => log(['answered', short]))])
    case 'pong':
      if (kind !== 'http' && kind !== 'client') break
      return (driver, log) => log(['pong()', driver.pong(short)])
  }
  return (driver, log) => log(['ping()', driver.ping()])
}

export interface Outcome {
  /** What the application saw, in order. */
  readonly log: unknown[]
  /** The fields of the head that it sent. */
  readonly head: string[]
  /** What it sent after the head, up to a Close. */
  readonly data: unknown[]
  readonly control: unknown[]
  readonly close: unknown
}

/** Plays the conversation of a seed with one package. */
export function converse(websocket: AnyPackage, seed: number): Outcome {
  const { kind, options, offered, early, steps } = planOf(seed)
  const log: unknown[] = []
  const say = (entry: unknown): void => void log.push(entry)
  const sent: Buffer[] = []
  const driver = make(websocket, kind, options, offered)
  listen(driver, say)
  driver.io.on('data', chunk => sent.push(Buffer.from(chunk)))
  driver.setHeader('X-Own', 'value')
  for (const step of early) run(driver, step, say)
  const head = shake(driver, kind, offered, sent, say)
  for (const step of steps) run(driver, step, say)
  // theirs does not report the state of the driver that server() returns
  say(['at last', kind === 'http' || kind === 'client' ? driver.getState() : '', driver.text('late')])
  return { log, head, ...read(kind, Buffer.concat(sent)) }
}

function make(websocket: AnyPackage, kind: Kind, options: object, offered: string): AnyDriver {
  if (kind === 'client') return websocket.client('ws://example.com/chat', options)
  if (kind !== 'http') return websocket.server({ ...options, allowDrafts: kind !== 'server' })
  const fields = { ...requestFields(), ...(offered && { 'Sec-WebSocket-Protocol': offered }) }
  const headers = Object.fromEntries(Object.entries(fields).map(([name, value]) => [name.toLowerCase(), value]))
  return websocket.http({ method: 'GET', url: '/chat', headers }, options)
}

function listen(driver: AnyDriver, say: (entry: unknown) => void): void {
  driver.on('connect', () => say(['connect', driver.method, driver.url, driver.body?.length, driver.version]))
  driver.on('open', () => say(['open', driver.version, driver.protocol ?? '', driver.statusCode]))
  driver.on('message', ({ data }) => say(['message', typeof data === 'string' ? data : data.toString('hex')]))
  driver.on('ping', ({ data }) => say(['ping', data]))
  driver.on('pong', ({ data }) => say(['pong', data]))
  // the texts of errors differ
  let hasFailed = false
  driver.on('error', () => {
    hasFailed = true
    say(['error'])
  })
  driver.on('close', ({ code, reason }) =>
    say(['close', code === 1003 && hasFailed ? 1002 : code, hasFailed || reason])
  )
  driver.messages.on('data', data => say(['data', String(data).length]))
  driver.messages.on('end', () => say(['end']))
}

/** Both sides of the handshake; bytes that the driver sends after its head stay in `sent`. */
function shake(
  driver: AnyDriver,
  kind: Kind,
  offered: string,
  sent: Buffer[],
  say: (entry: unknown) => void
): string[] {
  const fields = offered === '' ? {} : { 'Sec-WebSocket-Protocol': offered }
  if (kind === 'server') driver.io.write(requestHead(fields))
  if (kind === 'hixie-75') driver.io.write(request75())
  if (kind === 'hixie-76') driver.io.write(request76())
  say(['start()', driver.start()])
  if (kind === 'hixie-76') driver.io.write(BODY)
  const bytes = Buffer.concat(sent.splice(0))
  const end = bytes.indexOf('\r\n\r\n') + 4
  const head = bytes.toString('latin1', 0, end)
  sent.push(bytes.subarray(end))
  if (kind === 'client') {
    // a server chooses a subprotocol that was offered
    const chosen = /^Sec-WebSocket-Protocol: (\w+)/m.exec(head)?.[1]
    driver.io.write(Buffer.from(answerTo(head, chosen ? `Sec-WebSocket-Protocol: ${chosen}\r\n` : '')))
  }
  const [first, ...lines] = head.trim().split('\r\n')
  // the reason phrase after 101 differs, and so do the keys of clients
  return [first!.slice(0, 12), ...lines.map(line => line.replace(/^(Sec-WebSocket-Key):.*/, '$1')).sort()]
}

function run(driver: AnyDriver, step: Step, say: (entry: unknown) => void): void {
  if (typeof step === 'function') step(driver, say)
  else driver.io.write(Buffer.from(step))
}

/** Data in order, pings and pongs in order, and the Close: control frames may overtake data. */
function read(kind: Kind, bytes: Buffer): Pick<Outcome, 'data' | 'control' | 'close'> {
  if (kind.startsWith('hixie')) return { data: [bytes.toString('hex')], control: [], close: ANSWER.length }
  const frames = readFrames(bytes)
  const end = frames.findIndex(({ opcode }) => opcode === 8)
  const before = end < 0 ? frames : frames.slice(0, end)
  const brief = before.map(
    ({ opcode, fin, masked, payload }) => [opcode, fin, masked, payload.toString('hex')] as const
  )
  const body = frames[end]?.payload
  return {
    data: brief.filter(([opcode]) => opcode < 8),
    control: brief.filter(([opcode]) => opcode >= 8),
    // an empty Close is answered with an empty one or with 1000, unmasked frames with 1002 or 1003
    close: body === undefined ? null : body.length < 2 ? 1000 : Math.min(body.readUInt16BE(0), 4999)
  }
}
