// The seeds of a target: a text file with one input in hexadecimal digits on each line; blanks, and comments after '#',
// are ignored.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

export function readSeeds(folder: string, target: string): Buffer[] {
  return readFileSync(join(folder, `${target}.hex`), 'utf8')
    .split('\n')
    .map(line => line.replace(/#.*/, '').replace(/\s/g, ''))
    .filter(line => line !== '')
    .map(line => {
      const bytes = Buffer.from(line, 'hex')
      if (bytes.length * 2 !== line.length) throw new SyntaxError(`not hexadecimal, in ${target}.hex: ${line}`)
      return bytes
    })
}
