import t from 'tap'
import { checkUtf8, Utf8Reader } from '../../lib/protocol/utf8.js'
import { INVALID, isTruncated, VALID } from './utf8-cases.js'

/** Feeds text in pieces that end at `ends`; returns how many bytes had been fed when the error was found, or 0. */
function seenAt(bytes: Buffer, ends: number[]): { wrong: number; checked: number } {
  let checked = 0
  for (const end of ends) {
    checked = checkUtf8(bytes, checked, end)
    if (checked < 0) return { wrong: end, checked }
  }
  return { wrong: 0, checked }
}

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1)

for (const hex of VALID) {
  t.test(`${hex || 'nothing'} is UTF-8, however it is split`, async t => {
    const bytes = Buffer.from(hex, 'hex')
    t.same(seenAt(bytes, [bytes.length]), { wrong: 0, checked: bytes.length }, 'whole')
    t.same(seenAt(bytes, upTo(bytes.length)), { wrong: 0, checked: bytes.length }, 'byte by byte')
    for (let i = 0; i <= bytes.length; i++) {
      for (let j = i; j <= bytes.length; j++) {
        const { wrong, checked } = seenAt(bytes, [i, j, bytes.length])
        if (wrong !== 0 || checked !== bytes.length) t.fail(`cut at ${i} and ${j}`)
      }
    }
  })
}

for (const [says, hex, shown] of INVALID.filter(([, hex, shown]) => !isTruncated(hex, shown))) {
  t.test(`${says} (${hex}) is detected at byte ${shown}, however it is split`, async t => {
    const bytes = Buffer.from(hex, 'hex')
    t.equal(seenAt(bytes, [bytes.length]).wrong, bytes.length, 'whole')
    t.equal(seenAt(bytes, upTo(bytes.length)).wrong, shown, 'byte by byte')
    for (let i = 0; i <= bytes.length; i++) {
      const { wrong } = seenAt(bytes, [i, bytes.length])
      if (wrong !== (i < shown ? bytes.length : i)) t.fail(`cut at ${i}: seen at ${wrong}`)
    }
  })
}

for (const [says, hex] of INVALID.filter(([, hex, shown]) => isTruncated(hex, shown))) {
  t.test(`${says} (${hex}) can still become valid, and begins at 0`, async t => {
    const bytes = Buffer.from(hex, 'hex')
    t.same(seenAt(bytes, upTo(bytes.length)), { wrong: 0, checked: 0 })
    const behind = Buffer.concat([Buffer.from('a\u20ac'), bytes])
    t.same(seenAt(behind, [behind.length]), { wrong: 0, checked: 4 }, 'behind other text')
  })
}

t.test('every pair of bytes is checked as a decoder of the platform checks it', async t => {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  // a second check: the bytes can continue if some valid ending makes them text
  const endings = ['', '80', 'bf', '8080', 'bfbf', '808080'].map(hex => Buffer.from(hex, 'hex'))
  const canGoOn = (bytes: Buffer): boolean =>
    endings.some(ending => {
      try {
        decoder.decode(Buffer.concat([bytes, ending]))
        return true
      } catch {
        return false
      }
    })
  const wrong: string[] = []
  for (let first = 0; first < 256; first++) {
    for (let second = first < 128 ? 255 : 0; second < 256; second++) {
      const bytes = Buffer.from([first, second])
      if (checkUtf8(bytes, 0, 2) >= 0 !== canGoOn(bytes)) wrong.push(bytes.toString('hex'))
    }
  }
  t.same(wrong, [])
})

for (const hex of VALID) {
  t.test(`a reader returns ${hex || 'nothing'} in whole characters, however it is split`, async t => {
    const bytes = Buffer.from(hex, 'hex')
    const text = bytes.toString()
    for (let i = 0; i <= bytes.length; i++) {
      for (let j = i; j <= bytes.length; j++) {
        const [reader, checker] = [new Utf8Reader(), new Utf8Reader()]
        const pieces = [bytes.subarray(0, i), bytes.subarray(i, j), bytes.subarray(j)]
        const got = pieces.map(piece => reader.read(piece))
        for (const piece of pieces) checker.check(piece)
        reader.end()
        checker.end()
        if (got.join('') !== text) t.fail(`cut at ${i} and ${j}: ${JSON.stringify(got)}`)
        if (got.some(piece => /[\ud800-\udbff]$|^[\udc00-\udfff]/.test(piece))) t.fail(`a pair is cut at ${i} and ${j}`)
      }
    }
  })
}

for (const [says, hex, shown] of INVALID) {
  t.test(`a reader refuses ${says} (${hex}) at its first invalid byte, or at the end`, async t => {
    const bytes = Buffer.from(hex, 'hex')
    const wrong = { code: 'WS_ERR_INVALID_UTF8', closeCode: 1007 }
    for (const use of ['read', 'check'] as const) {
      const reader = new Utf8Reader()
      const feed = (from: number, to: number): void => {
        for (let at = from; at < to; at++) reader[use](bytes.subarray(at, at + 1))
      }
      if (isTruncated(hex, shown)) {
        feed(0, bytes.length)
        t.throws(() => reader.end(), wrong)
      } else {
        feed(0, shown - 1)
        t.throws(() => feed(shown - 1, shown), wrong)
      }
    }
  })
}

t.test('a reader keeps a BOM, and does not keep a chunk alive', async t => {
  t.equal(new Utf8Reader().read(Buffer.from('\ufeffa')), '\ufeffa')
  const reader = new Utf8Reader()
  const chunk = Buffer.concat([Buffer.from('abc'), Buffer.from('e282', 'hex')])
  t.equal(reader.read(chunk), 'abc')
  chunk.fill(0)
  t.equal(reader.read(Buffer.from('ac', 'hex')), '\u20ac')
})

t.test('a reader says whose fault it is', async t => {
  t.throws(() => new Utf8Reader().read(Buffer.from('ff', 'hex')), { code: 'WS_ERR_INVALID_UTF8' })
  try {
    new Utf8Reader('local').check(Buffer.from('ff', 'hex'))
    t.fail('it is wrong')
  } catch (error) {
    t.match(error, { code: 'WS_ERR_INVALID_UTF8', fault: 'local' })
  }
})
