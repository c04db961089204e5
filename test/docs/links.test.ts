// Links in all documents written by hand: a relative link names an existing file, and an existing heading if it names one.
// Links in documents of the package name files of the package, so that they work without the repository.

import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

/** Every .md file that git tracks or would add. */
function documents(): string[] {
  const args = ['ls-files', '--cached', '--others', '--exclude-standard', '*.md']
  return execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' }).split('\n').filter(Boolean)
}

/** Fenced blocks and inline code contain no links. */
function textOf(file: string): string {
  const text = readFileSync(join(ROOT, file), 'utf8')
  return text
    .replace(/^\s*(`{3,}|~{3,})[\s\S]*?^\s*\1\s*$/gm, '')
    .replace(/`[^`\n]*`/g, code => code.replace(/[[\]()]/g, ''))
}

function linksIn(file: string): string[] {
  return [...textOf(file).matchAll(/\]\(([^()\s]+)\)/g)].map(([, target]) => target!)
}

/** The anchors of headings, as GitHub and npm make them. */
function anchorsOf(file: string): string[] {
  return [...textOf(file).matchAll(/^#{1,6} +(.+)$/gm)].map(([, title]) =>
    title!
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-')
  )
}

t.test('relative links point to existing files and headings', async t => {
  for (const file of documents()) {
    const wrong = linksIn(file).filter(link => !/^[a-z]+:/.test(link) && !leads(file, link))
    t.same(wrong, [], file)
  }
})

function leads(file: string, link: string): boolean {
  const [path = '', anchor] = link.split('#', 2)
  const target = path === '' ? file : relative(ROOT, join(ROOT, dirname(file), decodeURIComponent(path)))
  if (!existsSync(join(ROOT, target))) return false
  if (anchor === undefined || statSync(join(ROOT, target)).isDirectory()) return true
  return !target.endsWith('.md') || anchorsOf(target).includes(anchor)
}

t.test('every guide is in the index', async t => {
  const listed = linksIn('docs/README.md').map(link => `docs/${link}`)
  const guides = documents().filter(file => /^docs\/[^/]+\.md$/.test(file) && file !== 'docs/README.md')
  t.same(
    guides.filter(file => !listed.includes(file)),
    []
  )
})

const { files } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { files: string[] }
// npm packs these always
const PACKED = [...files.map(name => new RegExp(patternOf(name))), /^(LICENSE|README\.md|package\.json)$/]

function isPacked(path: string): boolean {
  return PACKED.some(pattern => pattern.test(path))
}

t.test('documents of the package link only to what the package holds', async t => {
  const packed = documents().filter(isPacked)
  t.ok(['README.md', 'SECURITY.md', 'docs/servers.md'].every(file => packed.includes(file)))
  for (const file of packed) {
    const paths = linksIn(file).flatMap(link => (/^([a-z]+:|#)/.test(link) ? [] : [link.split('#', 1)[0]!]))
    const targets = paths.map(path => relative(ROOT, join(ROOT, dirname(file), path)))
    t.same(
      targets.filter(target => !isPacked(target)),
      [],
      file
    )
  }
})

/** A name in `files` of package.json, including wildcards, as a regular expression. */
function patternOf(name: string): string {
  return `^${name.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '[^/]*')}$`
}
