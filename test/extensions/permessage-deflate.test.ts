import { readFileSync } from 'node:fs'
import t from 'tap'
import Extensions from 'websocket-extensions'
import type { Extension, ExtensionMessage, ExtensionSession } from '../../lib/extensions/extension.js'
import { type PermessageDeflateOptions, permessageDeflate } from '../../lib/extensions/permessage-deflate.js'
import { bytesOf } from '../support/frames.js'
import { agree, deflate, json, noise } from './codecs.js'

t.test('it has the form of websocket-extensions', async t => {
  t.match(permessageDeflate(), { name: 'permessage-deflate', type: 'permessage', rsv1: true, rsv2: false, rsv3: false })
  new Extensions().add(permessageDeflate({}))
})

const NUMBERS: Record<string, [least: number, most: number]> = {
  threshold: [0, Number.POSITIVE_INFINITY],
  level: [0, 9],
  memLevel: [1, 9],
  windowBits: [9, 15],
  peerWindowBits: [8, 15],
  concurrency: [1, Number.POSITIVE_INFINITY]
}

t.test('an unknown option or a wrong type is a TypeError, a number out of range a RangeError', async t => {
  const make = (options: object) => () => permessageDeflate(options as PermessageDeflateOptions)
  for (const [name, [least, most]] of Object.entries(NUMBERS)) {
    for (const right of [least, most, undefined]) t.doesNotThrow(make({ [name]: right }), `${name}: ${right}`)
    for (const wrong of [least - 1, most + 1, least + 0.5, Number.NaN, -1, -Number.POSITIVE_INFINITY]) {
      if (wrong === most) continue
      t.throws(make({ [name]: wrong }), { name: 'RangeError' }, `${name}: ${wrong}`)
    }
    for (const wrong of ['9', null, true, 9n, {}]) t.throws(make({ [name]: wrong }), { name: 'TypeError' })
  }
  for (const name of ['contextTakeover', 'peerContextTakeover']) {
    for (const right of [true, false, undefined]) t.doesNotThrow(make({ [name]: right }))
    for (const wrong of [0, 'true', null]) t.throws(make({ [name]: wrong }), { name: 'TypeError' }, name)
  }
  for (const name of ['foo', 'serverMaxWindowBits', 'toString', 'constructor']) {
    t.throws(make({ [name]: 1 }), { name: 'TypeError', message: `unknown option '${name}'` })
  }
  for (const wrong of [null, 'x', 5]) t.throws(() => permessageDeflate(wrong as unknown as object), TypeError)
})

t.test('the documented defaults are the defaults', async t => {
  const table = readFileSync(new URL('../../docs/compression.md', import.meta.url), 'utf8')
  const { settings } = permessageDeflate() as unknown as { settings: Record<string, unknown> }
  for (const [name, value] of Object.entries(settings)) {
    t.match(table, new RegExp(`\\| \`${name}\` +\\| ${value} `), `${name}: ${value}`)
  }
})

t.test('connections that agreed on the same parameters share their settings', async t => {
  const extension = permessageDeflate()
  const session = (): object =>
    (extension.createServerSession([{}]) as unknown as { agreed: { outgoing: object } }).agreed.outgoing
  t.equal(session(), session())
})

/** An extension that reverses the bytes of messages, asynchronously. */
function mirror(): Extension {
  const turn = (message: ExtensionMessage): ExtensionMessage => {
    message.data = Buffer.from(message.data).reverse()
    return message
  }
  const session: ExtensionSession = {
    processIncomingMessage: (message, callback) => setImmediate(() => callback(null, turn(message))),
    processOutgoingMessage: (message, callback) => callback(null, turn(message)),
    close: () => {}
  }
  const none = { rsv1: false, rsv2: false, rsv3: false }
  return {
    name: 'mirror',
    type: 'permessage',
    ...none,
    createClientSession: () => ({ ...session, generateOffer: () => ({}), activate: () => true }),
    createServerSession: () => ({ ...session, generateResponse: () => ({}) })
  }
}

function containers(
  options: PermessageDeflateOptions = {},
  maxLength?: number
): { client: Extensions; server: Extensions } {
  const [client, server] = [options, {}].map((options, i) => {
    const extensions = new Extensions(i === 1 && maxLength !== undefined ? { maxLength } : {})
    extensions.add(mirror())
    extensions.add(permessageDeflate(options))
    return extensions
  }) as [Extensions, Extensions]
  client.activate(server.generateResponse(client.generateOffer()!)!)
  return { client, server }
}

function message(data: Buffer | string, rsv1 = false): ExtensionMessage {
  return { rsv1, rsv2: false, rsv3: false, opcode: 2, data: bytesOf(data) }
}

t.test('combined with another extension: whole messages, in order, each answered once', async t => {
  const { client, server } = containers({ threshold: 50 })
  const payloads = [
    '',
    'small',
    json(49),
    json(50),
    json(500),
    json(500),
    json(100_000),
    'small',
    json(500),
    json(70_000)
  ]
  payloads.push(noise(200_000).toString('latin1'), json(300))
  const answers: string[] = []
  await new Promise<void>((resolve, reject) => {
    for (const payload of payloads) {
      client.processOutgoingMessage(message(payload), (error, sent) => {
        if (error) return reject(error)
        t.equal(sent!.rsv1, bytesOf(payload).length >= 50)
        if (payload.length >= 500 && payload.startsWith('{')) t.ok(sent!.data.length < payload.length)
        server.processIncomingMessage(sent!, (error, received) => {
          if (error) return reject(error)
          t.equal(received!.rsv1, false)
          answers.push(received!.data.toString())
          if (answers.length === payloads.length) resolve()
        })
      })
    }
  })
  t.same(answers, payloads)
  await new Promise<void>(resolve => client.close(resolve))
  await new Promise<void>(resolve => server.close(resolve))
})

t.test('maxLength of the container is the limit', async t => {
  for (const [size, fails] of [
    [1000, false],
    [1001, true]
  ] as const) {
    const { server } = containers({}, 1000)
    const error = await new Promise(resolve => {
      server.processIncomingMessage(message(deflate(Buffer.alloc(size)), true), resolve)
    })
    if (fails) t.match(error, { code: 'WS_ERR_MESSAGE_TOO_LARGE', closeCode: 1009 })
    else t.notOk(error)
  }
  const session = permessageDeflate().createClientSession({ maxLength: 10 })!
  session.activate({})
  session.processIncomingMessage(message(deflate(Buffer.alloc(11)), true), error => {
    t.match(error, { code: 'WS_ERR_MESSAGE_TOO_LARGE' })
  })
})

t.test('A32: after a failure every message fails with it, once', async t => {
  const session = permessageDeflate().createServerSession([{}])!
  const answers: unknown[] = []
  const bad = Buffer.concat([Buffer.from([7]), noise(100_000)])
  for (const data of [bad, deflate(Buffer.from('right')), bad]) {
    session.processIncomingMessage(message(data, true), error => answers.push(error))
  }
  t.same(answers, [], 'it is in the thread pool')
  await new Promise<void>(resolve => {
    session.processIncomingMessage(message('a'), error => {
      answers.push(error)
      resolve()
    })
  })
  session.processIncomingMessage(message('a'), error => answers.push(error))
  t.equal(answers.length, 5)
  for (const error of answers) t.match(error, { code: 'WS_ERR_INVALID_COMPRESSED_DATA' })
  session.close()
})

t.test('on close, each waiting message fails once', async t => {
  const session = permessageDeflate().createServerSession([{}])!
  const answers: unknown[] = []
  session.processOutgoingMessage(message(noise(100_000)), error => answers.push(error))
  session.processOutgoingMessage(message('a'), error => {
    answers.push(error)
    session.processOutgoingMessage(message('b'), error => answers.push(error))
  })
  session.close()
  session.close()
  t.equal(answers.length, 3)
  for (const error of answers) t.match(error, { code: 'WS_ERR_DESTROYED' })
  session.processOutgoingMessage(message('a'), error => answers.push(error))
  t.equal(answers.length, 4)
})

t.test('a callback that throws, or sends more, does not affect the others', async t => {
  const session = permessageDeflate({ threshold: 0 }).createServerSession([{}])!
  const answers: string[] = []
  const note = (name: string) => (): void => {
    answers.push(name)
  }
  t.throws(
    () =>
      session.processOutgoingMessage(message('one'), () => {
        session.processOutgoingMessage(message('two'), note('two'))
        answers.push('one')
        throw new Error('of the application')
      }),
    /of the application/
  )
  t.same(answers, ['one', 'two'])
  session.processOutgoingMessage(message('three'), note('three'))
  t.same(answers, ['one', 'two', 'three'])
  session.close()
})

t.test('by default a server asks for little memory, and a client asks for nothing', async t => {
  const { offer, answer } = agree({})
  t.same(offer, { client_max_window_bits: 12 })
  t.same(answer, { client_max_window_bits: 12 })
})
