import fc from 'fast-check'
import t from 'tap'
import { HeadParser, REQUEST, RESPONSE } from '../../lib/handshake/head-parser.js'
import { writeHead } from '../../lib/handshake/header-fields.js'
import { hasToken, listTokens, readExtensionList } from '../../lib/handshake/header-lists.js'
import { requestHead } from '../support/raw-peer.js'
import { blanks, bytes, cutAt, cuts, fields, token, wrongBytes } from './arbitraries.js'
import { holds } from './properties.js'
import type { Target } from './targets/target.js'
import { TARGETS } from './targets.js'

const LIMITS = { maxHeaderSize: 2 ** 20, maxHeaders: 100 }

for (const [kind, first] of [
  [REQUEST, 'GET /chat?a=b HTTP/1.1'],
  [RESPONSE, 'HTTP/1.1 101 Switching Protocols']
] as const) {
  t.test(`a head is read as written, however it is split: ${first}`, async t => {
    const property = fc.property(fields, bytes(50), cuts, (fields, behind, cuts) => {
      const parser = new HeadParser<any>(kind as never, LIMITS)
      const rest: Buffer[] = []
      let head: { rawHeaders: string[] } | null = null
      for (const chunk of cutAt(Buffer.concat([writeHead(first, fields), behind]), cuts)) {
        if (head === null) {
          head = parser.parse(chunk)
          if (head !== null) rest.push(parser.rest)
        } else {
          rest.push(chunk)
        }
      }
      if (head === null) throw new Error('no head')
      if (JSON.stringify(head.rawHeaders) !== JSON.stringify(fields.flat())) throw new Error('other fields')
      if (!Buffer.concat(rest).equals(behind)) throw new Error('other bytes behind it')
    })
    await holds(t, property, 800)
  })
}

t.test('the tokens of a list are found, with any blanks and empty items between them', async t => {
  const item = fc.tuple(blanks, fc.option(token, { freq: 5 }), blanks)
  const property = fc.property(fc.array(item, { maxLength: 8 }), items => {
    const list = items.map(([before, token, behind]) => before + (token ?? '') + behind).join(',')
    const tokens = items.flatMap(([, token]) => (token === null ? [] : [token]))
    if (JSON.stringify(listTokens(list)) !== JSON.stringify(tokens)) throw new Error(`not so: ${list}`)
    for (const token of tokens) if (!hasToken(list, token.toUpperCase())) throw new Error(`${token} is not in ${list}`)
  })
  await holds(t, property, 1500)
})

t.test('extensions are read as intended, quoted or not', async t => {
  const parameter = fc.tuple(token, fc.option(token), fc.boolean(), blanks)
  const extension = fc.tuple(token, fc.array(parameter, { maxLength: 4 }), blanks)
  const property = fc.property(fc.array(extension, { minLength: 1, maxLength: 4 }), extensions => {
    const quote = (value: string): string => `"${value.replace(/[a-f]/g, '\\$&')}"`
    const list = extensions.map(([name, parameters, blank]) =>
      [
        name,
        ...parameters.map(([name, value, quoted]) =>
          value === null ? name : `${name}=${quoted ? quote(value) : value}`
        )
      ].join(`${blank};${blank}`)
    )
    const plain = extensions.map(([name, parameters]) =>
      [name, ...parameters.map(([name, value]) => (value === null ? name : `${name}=${value}`))].join('; ')
    )
    const read = readExtensionList(list.join(' , '))
    if (JSON.stringify(read?.map(({ text }) => text)) !== JSON.stringify(plain)) throw new Error(`not so: ${list}`)
  })
  await holds(t, property, 1000)
})

const ANSWER =
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: @ACCEPT@\r\n\r\n'
const REFUSED = 'HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nHello\r\n0\r\n\r\n'

const HEADS: Record<string, Buffer[]> = {
  'head-request': [requestHead(), requestHead({ Origin: 'http://a', Cookie: 'a=b' })],
  'server-handshake': [
    requestHead(),
    requestHead({ 'Sec-WebSocket-Protocol': 'chat, superchat', Connection: 'a, Upgrade' })
  ],
  'head-response': [Buffer.from(ANSWER), Buffer.from(REFUSED)],
  'client-handshake': [
    Buffer.from(ANSWER),
    Buffer.from(`HTTP/1.1 103 Early Hints\r\n\r\n${ANSWER}`),
    Buffer.from(REFUSED)
  ],
  'response-body': [Buffer.from(REFUSED), Buffer.from('HTTP/1.1 500 \r\nContent-Length: 5\r\n\r\nHello')]
}

for (const [name, heads] of Object.entries(HEADS)) {
  const target = TARGETS.find(target => target.name === name) as Target
  t.test(`a head with any error is read or refused, the same for any chunks: ${name}`, async t => {
    const faults = fc.array(wrongBytes, { minLength: 1, maxLength: 3 })
    const property = fc.property(
      fc.constantFrom(...heads),
      faults,
      fc.nat(7),
      fc.nat(255),
      (head, faults, flags, cut) => {
        const bytes = faults.reduce((bytes, fault) => fault(bytes), head)
        void target.run(Buffer.concat([Buffer.from([flags, cut]), bytes]))
      }
    )
    await holds(t, property, 1000)
  })
}
