// Checks the comments in lib: everything public is documented, every link has a target, every type in a public signature is exported.
// Prints each problem with its file and line, and then exits with 1. Writes no documentation; `npm run docs` does.

import { stripVTControlCharacters } from 'node:util'
import { Application, Logger, LogLevel, ReflectionKind } from 'typedoc'

class Findings extends Logger {
  list = []
  log(message, level) {
    if (level >= LogLevel.Warn) this.list.push(stripVTControlCharacters(message))
  }
  addContext(message) {
    return message
  }
}

const findings = new Findings()
// unlike in the reference, the sources are needed here: they give file and line
const options = { disableSources: false, disableGit: true, sourceLinkTemplate: '{path}' }
const app = await Application.bootstrapWithPlugins(options)
app.logger = findings
const project = await app.convert()
if (project !== undefined) app.validate(project)

// a problem of an inherited member is reported once for each subclass
const lines = new Map(findings.list.map(finding => [placeOf(finding) ?? finding, finding]).reverse())
for (const [place, finding] of [...lines].reverse()) {
  console.log(place === finding ? `✘ ${finding}` : `✘ ${place} ${finding.replace(/, defined in [^,]*,/, '')}`)
}
if (lines.size === 0) console.log('✔ everything public is documented')
process.exitCode = lines.size === 0 ? 0 : 1

/** File and line: typedoc's message names a reflection, which has both. */
function placeOf(finding) {
  const [, name, kind] = /^(\S+)(?: \((\w+)\))?, defined in /.exec(finding) ?? []
  const found = project
    ?.getReflectionsByKind(ReflectionKind.All)
    .find(part => part.getFriendlyFullName() === name && (kind === undefined || ReflectionKind[part.kind] === kind))
  const source = (found?.sources ?? found?.parent?.sources)?.[0]
  return source && `lib/${source.fileName}:${source.line}`
}
