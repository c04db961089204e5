import { once } from 'node:events'
import { Readable } from 'node:stream'
import fc from 'fast-check'
import t from 'tap'
import type { Message } from '../../lib/index.js'
import { FrameDecoder, FrameEncoder, MessageAssembler, MessageFragmenter, WebSocketError } from '../../lib/index.js'
import { wire } from '../support/frames.js'
import { conversation, cutAt, cuts, damagedWire, messages } from './arbitraries.js'
import { holds } from './properties.js'
import { whole } from './targets/whole.js'

const asText = (messages: readonly Message[]): string =>
  messages.map(message => `${typeof message} ${Buffer.from(message as string).toString('hex')}`).join('\n')

/** The output of a stage, until it ends or is destroyed. */
async function outcome(stage: Readable): Promise<{ items: unknown[]; error: Error | null }> {
  const items: unknown[] = []
  try {
    for await (const batch of stage) items.push(...(Array.isArray(batch) ? batch : [batch]))
    return { items, error: null }
  } catch (error) {
    return { items, error: error as Error }
  }
}

for (const role of ['server', 'client'] as const) {
  t.test(`decoder and assembler make the messages of any conversation, however it is split: ${role}`, async t => {
    const property = fc.asyncProperty(conversation, cuts, async (said, cuts) => {
      const chunks = cutAt(wire(role === 'server', ...said.frames), cuts)
      const assembler = Readable.from(chunks).pipe(new FrameDecoder({ role })).pipe(new MessageAssembler())
      const { items, error } = await outcome(assembler)
      if (error !== null) throw error
      if (asText(items as Message[]) !== asText(said.messages)) throw new Error('other messages')
    })
    await holds(t, property, 150)
  })

  t.test(`decoder and assembler of one side read what fragmenter and encoder of the other write: ${role}`, async t => {
    const size = fc.oneof(fc.constant(Number.POSITIVE_INFINITY), fc.integer({ min: 1, max: 2000 }))
    const property = fc.asyncProperty(messages(9000), size, async (sent, fragmentSize) => {
      const fragmenter = new MessageFragmenter({ fragmentSize })
      const reader = role === 'server' ? 'client' : 'server'
      const assembler = fragmenter
        .pipe(new FrameEncoder({ role }))
        .pipe(new FrameDecoder({ role: reader }))
        .pipe(new MessageAssembler())
      for (const message of sent) fragmenter.write(message)
      fragmenter.end()
      const { items, error } = await outcome(assembler as unknown as Readable)
      if (error !== null) throw error
      if (asText(items as Message[]) !== asText(sent)) throw new Error('other messages')
    })
    await holds(t, property, 150)
  })
}

t.test('with any error in a wire, a decoder on its own ends or is destroyed with a WebSocketError', async t => {
  const property = fc.asyncProperty(damagedWire, cuts, async ({ bytes, masked }, cuts) => {
    const decoder = new FrameDecoder({ role: masked ? 'server' : 'client' })
    const source = Readable.from(cutAt(bytes, cuts))
    const { error } = await outcome(source.pipe(decoder) as unknown as Readable)
    if (error !== null && !(error instanceof WebSocketError)) throw error
    source.destroy()
    if (!source.closed) await once(source, 'close')
  })
  await holds(t, property, 200)
})

t.test('with any error in a wire, a connection ends with the messages and the code of the codecs', async t => {
  const property = fc.asyncProperty(damagedWire, fc.nat(255), fc.nat(63), async ({ bytes, masked }, cut, flags) => {
    // bit 0 is the role, bit 1 selects a separate head
    await whole.run(Buffer.concat([Buffer.from([(flags << 2) | (masked ? 0 : 1), cut]), bytes]))
  })
  await holds(t, property, 1000)
})
