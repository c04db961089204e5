// Groups 1 to 7 of the Autobahn suite, in memory: an echo of ours in both roles, sent each case whole, frame by frame, and in chops. And
// what groups 9 and 10 are about, without waiting for 16 MiB.

import t, { type Test } from 'tap'
import { BINARY, CLOSE, closeBody, readClose, TEXT } from '../../support/raw-peer.js'
import { open, type Setup, settle } from '../../websocket-stream/sides.js'
import { CASES, type Case, describe } from './cases.js'

const ROLES = ['server', 'client'] as const
/** As the suite chops what is long. */
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
    t.test(`group ${group}, our ${role}`, { timeout: 30_000 }, async t => {
      for (const each of cases) for (const way of Object.keys(WAYS)) await run(t, each, role, way)
    })
  }
}

for (const role of ROLES) {
  t.test(`group 9, our ${role}`, { timeout: 30_000 }, async t => {
    const { ws, peer } = await open(t, { role, join: 'attach', wire: 'memory' })
    ws.messages.pipe(ws.messages)
    const expect = async (opcode: number, payload: Buffer, says: string) => {
      const frame = await peer.nextFrame()
      t.ok(frame?.opcode === opcode && frame.fin && frame.payload.equals(payload), says)
    }
    for (const opcode of [TEXT, BINARY]) {
      const long = Buffer.alloc(2 ** 22, 'limits')
      peer.send(opcode, long)
      await expect(opcode, long, '9.1, 9.2: 4 MiB in one frame')
      for (const size of [64, 4096, 2 ** 17]) {
        const whole = long.subarray(0, 2 ** 20)
        peer.write(
          ...fragments(whole, size).map(([part, isFirst, fin]) => peer.frame(isFirst ? opcode : 0, part, { fin }))
        )
        await expect(opcode, whole, `9.3, 9.4: 1 MiB in fragments of ${size}`)
      }
      const bytes = peer.frame(opcode, long.subarray(0, 2 ** 18))
      for (const [part] of fragments(bytes, 64)) peer.write(part)
      await expect(opcode, long.subarray(0, 2 ** 18), '9.5, 9.6: chops of 64 bytes')
      for (const size of [0, 16, 64, 256, 1024]) {
        const small = long.subarray(0, size)
        for (let i = 0; i < 50; i++) peer.send(opcode, small)
        for (let i = 0; i < 50; i++) await expect(opcode, small, `9.7, 9.8: one of many messages of ${size} bytes`)
      }
    }
  })

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

/** Pieces of bytes, whether each is the first, and whether it is the last. */
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
    // all that is due is there: now this side closes
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
