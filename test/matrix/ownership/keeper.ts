// What an application may do with memory that it got: keep it, change it, transfer it to another thread.

import { createHash } from 'node:crypto'

const digest = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('base64')

export class Keeper {
  /** What could not be transferred, for a reason other than that Node refuses it. */
  readonly wrong: string[] = []
  transferred = 0
  refused = 0
  private readonly kept: { bytes: Uint8Array; digest: string }[] = []
  private count = 0

  /** Does with each piece another of the three. */
  take(bytes: Uint8Array): void {
    const deed = this.count++ % 3
    if (deed === 0) this.kept.push({ bytes, digest: digest(bytes) })
    else if (deed === 1) bytes.fill(0xaa)
    else this.transfer(bytes)
  }

  /** How many of the pieces that were kept are no longer what they were. */
  get changed(): number {
    return this.kept.filter(({ bytes, digest: before }) => digest(bytes) !== before).length
  }

  private transfer(bytes: Uint8Array): void {
    const { buffer, length } = bytes
    try {
      structuredClone(bytes, { transfer: [buffer as ArrayBuffer] })
      this.transferred++
    } catch (error) {
      this.refused++
      const { name, message } = error as Error
      if (name !== 'DataCloneError') this.wrong.push(`${length} bytes: ${name}: ${message}`)
    }
  }
}
