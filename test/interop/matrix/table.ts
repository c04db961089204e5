// Turns the results of the matrix into two tables in Markdown: one for the guide, with every difference in words, and a short one.

import { CHECK_NAMES, CHECKS, type CheckName } from './checks.js'
import type { Examination, PeerRole } from './examine.js'
import type { Peer } from './peers.js'

/** A peer in one role; without a result it is not installed. */
export interface Row {
  peer: Peer
  role: PeerRole
  examination?: Examination | undefined
  /** Why it could not be tested. */
  fault?: string | undefined
}

export type Verdict = 'passed' | 'differs' | 'failed' | 'lacks'

const SIGNS: Record<Verdict, string> = { passed: '✔', differs: '≠', failed: '✘', lacks: '–' }

/** The result of a check, with a sentence that describes the problem. */
export function verdictOf({ peer, role, examination, fault }: Row, check: CheckName): [Verdict, string] {
  const lack = peer.lacks[check]
  if (lack !== undefined) return ['lacks', lack]
  const outcome = examination === undefined ? fault : examination.outcomes[check]
  if (outcome === undefined) return ['passed', '']
  const known = peer.differences.find(
    each => each.check === check && (each.role ?? role) === role && each.sign.test(outcome)
  )
  return known ? ['differs', known.words] : ['failed', outcome]
}

/** All columns, and below them the explanations of the numbers. */
export function longTable(rows: readonly Row[]): string {
  const notes = new Notes()
  const titles = CHECK_NAMES.map(name => CHECKS[name].title)
  const lines = rows.map(row => [nameOf(row), versionOf(row), row.role, ...CHECK_NAMES.map(name => cell(row, name))])
  const table = markdown([['peer', 'version', 'as', ...titles], ...lines])
  return `${table}\n\n${notes.list()}`

  function cell(row: Row, name: CheckName): string {
    if (isAbsent(row)) return ''
    const [verdict, words] = verdictOf(row, name)
    return verdict === 'passed' ? SIGNS.passed : `${SIGNS[verdict]} ${notes.number(words)}`
  }
}

/** One line for each peer: how many of the checks that it supports have passed. */
export function shortTable(rows: readonly Row[]): string {
  const names = [...new Set(rows.filter(row => !isAbsent(row)).map(nameOf))]
  const lines = names.map(name => {
    const own = rows.filter(row => nameOf(row) === name)
    const score = (role: PeerRole) => own.filter(row => row.role === role).map(scoreOf)[0] ?? '–'
    return [name, versionOf(own[0]!), score('server'), score('client')]
  })
  return markdown([['peer', 'version', 'as server', 'as client'], ...lines])
}

/** Reasons why a run is not a success. */
export function failuresOf(rows: readonly Row[]): string[] {
  return rows
    .filter(row => !isAbsent(row))
    .flatMap(row => {
      const who = `${nameOf(row)} as ${row.role}`
      if (row.fault !== undefined) return [`${who}: ${row.fault}`]
      return CHECK_NAMES.flatMap(name => {
        const [verdict, words] = verdictOf(row, name)
        return verdict === 'failed' ? [`${who}, ${CHECKS[name].title}: ${words}`] : []
      })
    })
}

/** Replaces the text between two markers of a document. */
export function putBetween(document: string, marker: string, text: string): string {
  const [begin, end] = [`<!-- ${marker} -->`, `<!-- /${marker} -->`]
  const from = document.indexOf(begin)
  const to = document.indexOf(end)
  if (from < 0 || to < from) throw new Error(`the document has no ${begin} … ${end}`)
  return `${document.slice(0, from + begin.length)}\n${text}\n${document.slice(to)}`
}

function scoreOf(row: Row): string {
  const verdicts = CHECK_NAMES.map(name => verdictOf(row, name)[0]).filter(verdict => verdict !== 'lacks')
  const passed = verdicts.filter(verdict => verdict === 'passed').length
  return `${passed} of ${verdicts.length}`
}

function isAbsent({ examination, fault }: Row): boolean {
  return examination === undefined && fault === undefined
}

function nameOf({ peer }: Row): string {
  return peer.name
}

function versionOf(row: Row): string {
  return isAbsent(row) ? 'not installed' : (row.examination?.version ?? '?')
}

/** Footnotes, each text once. */
class Notes {
  private readonly texts: string[] = []

  number(text: string): string {
    if (!this.texts.includes(text)) this.texts.push(text)
    return String(this.texts.indexOf(text) + 1)
  }

  list(): string {
    return this.texts.map((text, i) => `${i + 1}. ${text}`).join('\n')
  }
}

function markdown([head, ...lines]: string[][]): string {
  const row = (cells: string[]) => `| ${cells.join(' | ')} |`
  return [row(head!), row(head!.map(() => '---')), ...lines.map(row)].join('\n')
}
