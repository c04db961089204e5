// The messages for every peer of the matrix: those of the other interoperability tests up to 64 KiB, and 1 MiB of each kind.

import { SCRIPT, type ScriptMessage } from '../script.js'

const LONGEST_OF_SCRIPT = 65536
const TIMES = 16

/** In the order in which they are sent. */
export const MESSAGES: readonly ScriptMessage[] = [
  ...SCRIPT.filter(({ data }) => data.length <= LONGEST_OF_SCRIPT),
  ...SCRIPT.filter(({ data }) => data.length === LONGEST_OF_SCRIPT).map(repeated)
]

/** Those that may be in flight at the same time. */
export const BURST = MESSAGES.filter(({ data }) => data.length <= LONGEST_OF_SCRIPT)

function repeated({ name, kind, data, cuts }: ScriptMessage): ScriptMessage {
  const long = Buffer.concat(Array.from({ length: TIMES }, () => data))
  return { name: name.replace(String(data.length), String(long.length)), kind, data: long, cuts }
}
