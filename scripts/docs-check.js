// Holds the comments in lib against what is public: everything documented, every link leads somewhere, every type that is mentioned
// is exported. Prints each thing that is wrong with its file and line, and exits with 1 then. Writes nothing; `npm run docs` does.

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
// the reference has no links to sources, as it has no address to link to; here they say where
const options = { disableSources: false, disableGit: true, sourceLinkTemplate: '{path}' }
const app = await Application.bootstrapWithPlugins(options)
app.logger = findings
const project = await app.convert()
if (project !== undefined) app.validate(project)

// what a class or an interface inherits is found once for each heir
const lines = new Map(findings.list.map(finding => [placeOf(finding) ?? finding, finding]).reverse())
for (const [place, finding] of [...lines].reverse()) {
  console.log(place === finding ? `✘ ${finding}` : `✘ ${place} ${finding.replace(/, defined in [^,]*,/, '')}`)
}
if (lines.size === 0) console.log('✔ everything public is documented')
process.exitCode = lines.size === 0 ? 0 : 1

/** File and line: typedoc names the file, and the line is in the reflection that it speaks of. */
function placeOf(finding) {
  const [, name, kind] = /^(\S+)(?: \((\w+)\))?, defined in /.exec(finding) ?? []
  const found = project
    ?.getReflectionsByKind(ReflectionKind.All)
    .find(part => part.getFriendlyFullName() === name && (kind === undefined || ReflectionKind[part.kind] === kind))
  const source = (found?.sources ?? found?.parent?.sources)?.[0]
  return source && `lib/${source.fileName}:${source.line}`
}
