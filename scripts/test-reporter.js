// The reporter of tap (.taprc). Takes TAP, and prints a line for each test file that ends; at the end the failures with file and line, the
// skipped tests, and tap's totals. The same on a terminal and in a pipe.

import { Transform } from 'node:stream'
import { Parser } from 'tap-parser'

export default class TestReporter extends Transform {
  /** The innermost failures: `{ where, name, detail }`. */
  failures = []
  /** Tests that were skipped, by the reason. */
  skipped = new Map()
  totals = []
  planned = '?'
  done = 0

  constructor() {
    super({ decodeStrings: false })
    this.parser = new Parser()
    this.parser.on('plan', ({ end }) => (this.planned = end))
    // output of tests that helps with debugging
    this.parser.on('extra', text => this.push(text))
    this.parser.on('comment', comment => this.totals.push(comment))
    this.follow(this.parser, [], undefined)
  }

  _transform(chunk, _encoding, callback) {
    this.parser.write(chunk.toString())
    callback()
  }

  _flush(callback) {
    this.parser.end()
    for (const [reason, names] of this.skipped) this.line(`skipped (${reason}): ${names.join('; ')}`)
    for (const { where, name, detail } of this.failures) this.line(`\nFAILED ${where}\n  ${name}${indent(detail)}`)
    if (this.failures.length > 0) this.line('')
    this.push(this.totals.join(''))
    callback()
  }

  /** Follows the assertions of a test and of its subtests. After a failed subtest, the failure of the test itself says nothing new. */
  follow(parser, names, file) {
    const before = { failures: this.failures.length, asserts: 0 }
    parser.on('child', child => this.follow(child, [...names, child.name], file ?? child.name))
    parser.on('assert', result => {
      const isNew = this.failures.length === before.failures
      if (!result.ok && !result.todo && !result.skip && isNew) this.failures.push(failure(result, names, file))
      // with --grep, all other tests are skipped, and not listed
      if (result.skip && !String(result.skip).startsWith('filter: '))
        this.skip(String(result.skip), [...names, result.name])
      if (parser === this.parser) this.fileEnds(result, isNew)
      before.failures = this.failures.length
    })
  }

  skip(reason, path) {
    const name = path.filter(Boolean).join(' › ')
    this.skipped.set(reason, [...(this.skipped.get(reason) ?? []), name])
  }

  fileEnds({ ok, name, time, diag }) {
    const count = String(++this.done).padStart(String(this.planned).length)
    const seconds = time === null || time === undefined ? '' : `, ${(time / 1000).toFixed(1)} s`
    this.line(`${count}/${this.planned} ${ok ? 'ok    ' : 'FAILED'} ${diag?.expired ?? name}${seconds}`)
  }

  line(text) {
    this.push(`${text}\n`)
  }
}

function failure({ name, diag }, names, file = name) {
  const at = diag?.at
  const where = at?.fileName === undefined ? (diag?.expired ?? file) : `${at.fileName}:${at.lineNumber}`
  const { diff, source, stack, exitCode, signal, found, wanted } = diag ?? {}
  const detail = [
    diff,
    found !== undefined && diff === undefined && `found: ${JSON.stringify(found)}\nwanted: ${JSON.stringify(wanted)}`,
    source,
    stack && `at ${stack}`,
    exitCode !== undefined && `exit code ${exitCode}`,
    signal && `ended by ${signal}`
  ]
  return { where, name: [...names.slice(1), name].join(' › '), detail: detail.filter(Boolean).join('\n') }
}

function indent(text) {
  return text === '' ? '' : `\n${text.trimEnd()}`.replaceAll('\n', '\n    ')
}
