// For typedoc: members that Node's own classes have, and that nothing is said about here, are Node's to document, and stand in the
// reference only where a comment says what is particular. What `on` and its kin take is in WebSocketStreamEvents.

import { Transform } from 'node:stream'
import { Converter, ReflectionKind } from 'typedoc'

const MEMBERS = ReflectionKind.Method | ReflectionKind.Property | ReflectionKind.Accessor

export function load(app) {
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const member of project.getReflectionsByKind(MEMBERS)) {
      if (isNodes(member.name) && !isDocumented(member)) project.removeReflection(member)
    }
  })
}

/** A Transform has what every stream and every emitter has, and `_transform` besides. */
function isNodes(name) {
  return name in Transform.prototype || name in Error.prototype || STREAM_METHODS.has(name)
}

/** Streams have them only where somebody writes them. */
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

function isDocumented(member) {
  const parts = [member, member.getSignature, member.setSignature, ...(member.signatures ?? [])]
  return parts.some(part => part?.hasComment())
}
