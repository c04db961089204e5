// For typedoc. Members that Node's own classes have, and that have no comment here, are documented by Node and left out. ErrorCode, which
// in lib is `keyof` the table of errors, becomes a union of its codes, each with its text.

import { readFileSync } from 'node:fs'
import { Transform } from 'node:stream'
import { Converter, LiteralType, ReflectionKind, UnionType } from 'typedoc'

const MEMBERS = ReflectionKind.Method | ReflectionKind.Property | ReflectionKind.Accessor

export function load(app) {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const member of project.getReflectionsByKind(MEMBERS)) {
      if (isNodes(member.name) && !isDocumented(member)) project.removeReflection(member)
    }
    const codes = project.getReflectionsByKind(ReflectionKind.TypeAlias).find(({ name }) => name === 'ErrorCode')
    if (codes !== undefined) codes.type = errorCodes()
  })
}

/** Transform has the members of all streams and of EventEmitter. */
function isNodes(name) {
  return name in Transform.prototype || name in Error.prototype || STREAM_METHODS.has(name)
}

/** Node calls these if a stream class implements them. */
const STREAM_METHODS = new Set([
  '_construct',
  '_destroy',
  '_final',
  '_flush',
  '_read',
  '_transform',
  '_write',
  '_writev'
])

/** The table of errors as a documented union. */
function errorCodes() {
  const source = readFileSync(new URL('../lib/errors.ts', import.meta.url), 'utf8')
  const rows = [...source.matchAll(/^ {2}(WS_ERR_\w+): (peer|local)\((\d+), '(.+)'\)/gm)]
  const union = new UnionType(rows.map(([, code]) => new LiteralType(code)))
  union.elementSummaries = rows.map(([, , fault, close, text]) => {
    const sent = close === '1006' ? 'no Close is sent' : `closes with ${close}`
    return [{ kind: 'text', text: `${text}; ${sent}; fault: ${fault}` }]
  })
  return union
}

function isDocumented(member) {
  const parts = [member, member.getSignature, member.setSignature, ...(member.signatures ?? [])]
  return parts.some(part => part?.hasComment())
}
