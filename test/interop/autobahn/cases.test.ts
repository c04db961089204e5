// Groups 1 to 7 of the Autobahn suite, in memory: our echo in both roles gets each case whole, frame by frame, and in small chunks. And the
// subject of group 10; groups 9, 12 and 13 are in limits.test.ts.

import t, { type Test } from 'tap'
import { CLOSE, closeBody, readClose, TEXT } from '../../support/raw-peer.js'
import { open, type Setup, settle } from '../../websocket-stream/sides.js'
import { CASES, type Case, describe } from './cases.js'

const ROLES = ['server', 'client'] as const
/** The chunks in which the suite sends long frames. */
const CHOP = 997
const SHORT = 1000

const WAYS: Record<string, (frames: Buffer[]) => Buffer[]> = {
  whole: frames => [Buffer.concat(frames)],
  'frame by frame': frames => frames,
  chopped: frames => chop(Buffer.concat(frames))
}

const groups = [...new Set(CASES.map(({ id }) => id[0]!))]

for (const group of groups) {
  const cases = CASES.filter(({ id }) => id.startsWith(group))
  for (const role of ROLES) {
    t.test(`group ${group}, our ${role}`, { timeout: 60_000 }, async t => {
      for (const each of cases) for (const way of Object.keys(WAYS)) await run(t, each, role, way)
    })
  }
}

for (const role of ROLES) {
  t.test(`group 10, our ${role}`, async t => {
    const { ws, peer } = await open(t, { role, join: 'attach', wire: 'memory' }, { fragmentSize: 1300 })
    ws.messages.pipe(ws.messages)
    peer.send(TEXT, '*'.repeat(65536))
    const frames = []
    do frames.push((await peer.nextFrame())!)
    while (!frames.at(-1)!.fin)
    t.equal(Buffer.concat(frames.map(({ payload }) => payload)).toString(), '*'.repeat(65536), '10.1.1')
    t.equal(frames.length, Math.ceil(65536 / 1300))
    t.ok(frames.every(({ payload }) => payload.length <= 1300))
  })
}

/** Pieces of bytes, with flags for the first and the last. */
function fragments(bytes: Buffer, size: number): [part: Buffer, isFirst: boolean, isLast: boolean][] {
  return Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) => {
    const end = (i + 1) * size
    return [bytes.subarray(i * size, end), i === 0, end >= bytes.length]
  })
}

async function run(t: Test, { id, says, sends, gets, closes, isFault }: Case, role: Setup['role'], way: string) {
  const { ws, peer } = await open(t, { role, join: 'attach', wire: 'memory' })
  ws.messages.on('error', () => {})
  ws.messages.pipe(ws.messages)
  for (const bytes of WAYS[way]!(sends.map(frame => frame(peer)))) {
    peer.write(bytes)
    await settle(1)
  }
  const isClosed = isFault || sends.some(frame => (frame(peer)[0]! & 15) === CLOSE)
  const got: string[] = []
  for (;;) {
    // all replies have arrived: now this side closes
    if (!isClosed && got.length === gets.length) peer.send(CLOSE, closeBody(1000))
    const frame = await peer.nextFrame()
    if (frame === undefined) break
    if (frame.opcode === CLOSE) {
      const { code, reason } = readClose(frame)
      got.push(isFault || reason === '' ? String(code) : `${code} ${reason}`)
      break
    }
    got.push(describe(frame.opcode, frame.payload))
  }
  if (role === 'client') peer.end()
  await peer.ended()
  peer.end()
  const { wasClean } = await ws.whenClosed()
  t.strictSame([...got, wasClean], [...gets, closes, !isFault], `${id} ${says}: ${way}`)
}

function chop(bytes: Buffer): Buffer[] {
  return fragments(bytes, bytes.length > SHORT ? CHOP : 1).map(([part]) => part)
}
