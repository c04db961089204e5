import { createHash } from 'node:crypto'
import t from 'tap'
import { md5Digest, sha1Digest } from '../../lib/runtime/digests.js'

const DIGESTS = { sha1: sha1Digest, md5: md5Digest }

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const bytesOf = (size: number): Uint8Array => Uint8Array.from({ length: size }, (_, i) => (i * 31 + (i >> 3)) & 255)

t.test('the examples of RFC 3174 §7.3 and RFC 1321 §A.5', async t => {
  t.equal(hex(sha1Digest(Buffer.from('abc'))), 'a9993e364706816aba3e25717850c26c9cd0d89d')
  t.equal(hex(sha1Digest(Buffer.from('a'.repeat(1_000_000)))), '34aa973cd4c4daa4f61eeb2bdbad27316534016f')
  t.equal(hex(md5Digest(Buffer.alloc(0))), 'd41d8cd98f00b204e9800998ecf8427e')
  t.equal(hex(md5Digest(Buffer.from('message digest'))), 'f96b697d7cb7938d525a2f31aaf161d0')
})

for (const [name, digest] of Object.entries(DIGESTS)) {
  t.test(`${name} equals Node's at every length around the edges of its blocks`, async t => {
    const wrong: number[] = []
    for (let size = 0; size <= 260; size++) {
      const bytes = bytesOf(size)
      if (hex(digest(bytes)) !== createHash(name).update(bytes).digest('hex')) wrong.push(size)
    }
    t.same(wrong, [])
  })

  t.test(`${name} does not change its input`, async t => {
    const bytes = bytesOf(100).subarray(3, 90)
    const copy = Uint8Array.from(bytes)
    digest(bytes)
    t.same(bytes, copy)
  })
}
