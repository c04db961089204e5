// What an application may do with memory that it received: keep it, change it, transfer it to another thread.

import { createHash } from 'node:crypto'

const digest = (bytes: Uint8Array): string => createHash('md5').update(bytes).digest('base64')

export class Keeper {
  /** Errors of transfers, except Node's refusal. */
  readonly wrong: string[] = []
  transferred = 0
  refused = 0
  private readonly kept: { bytes: Uint8Array; digest: string }[] = []
  private count = 0

  /** Does the next of the three with each piece. */
  take(bytes: Uint8Array): void {
    const deed = this.count++ % 3
    if (deed === 0) this.kept.push({ bytes, digest: digest(bytes) })
    else if (deed === 1) bytes.fill(0xaa)
    else this.transfer(bytes)
  }

  /** How many of the kept pieces have changed. */
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
