// Reads Markdown; returns its JavaScript and TypeScript blocks, with the requests in the comments before them
// (code-blocks.test.ts lists them). Does not know what the code means.

export interface Run {
  /** Whether it runs until the test ends it. */
  isServer: boolean
  /** The servers above it that it needs, by a port in their code; null for the nearest. */
  servers: (string | null)[]
  /** Lines that it must print. */
  prints: string[]
}

export interface Block {
  /** File and line of the fence. */
  name: string
  document: string
  line: number
  code: string
  isTypeScript: boolean
  run: Run | null
  /** Names that it uses without declaring them, with their types. */
  given: { name: string; type: string }[]
  /** Why it is skipped. */
  skip: string | null
}

const LANGUAGES = new Map([
  ['js', false],
  ['mjs', false],
  ['javascript', false],
  ['ts', true],
  ['typescript', true]
])

/** @throws Error if a comment names something that does not exist */
export function readBlocks(document: string, text: string): Block[] {
  const lines = text.split(/\r?\n/)
  const blocks: Block[] = []
  for (let i = 0; i < lines.length; i++) {
    const [, indent, fence, language] = /^(\s*)(`{3,}|~{3,})\s*(\w*)/.exec(lines[i]!) ?? []
    if (indent === undefined || fence === undefined) continue
    const name = `${document}:${i + 1}`
    const end = lines.findIndex((line, at) => at > i && line.trim().startsWith(fence) && line.trim().length < 10)
    if (end < 0) throw new Error(`${name}: the block does not end`)
    const isTypeScript = LANGUAGES.get(language!)
    if (isTypeScript !== undefined) {
      // in a list item, code is indented like the item
      const code = lines.slice(i + 1, end).map(line => (line.startsWith(indent) ? line.slice(indent.length) : line))
      const block: Block = {
        name,
        document,
        line: i + 1,
        code: code.join('\n'),
        isTypeScript,
        run: null,
        given: [],
        skip: null
      }
      for (const comment of commentsBefore(lines.slice(0, i))) obey(block, comment)
      for (const port of block.run?.servers ?? []) findServer(block, port, blocks)
      blocks.push(block)
    }
    i = end
  }
  return blocks
}

/** The nearest server above a block. @throws Error if there is none */
export function findServer(block: Block, port: string | null, blocks: readonly Block[]): Block {
  const servers = blocks.filter(
    ({ document, line, run }) => run?.isServer && document === block.document && line < block.line
  )
  const found = servers.findLast(({ code }) => port === null || new RegExp(`\\b${port}\\b`).test(code))
  if (found === undefined) throw new Error(`${block.name}: no server above`)
  return found
}

function commentsBefore(lines: string[]): string[] {
  const [comments = ''] = /(?:<!--(?:(?!-->).)*-->\s*)*$/s.exec(lines.join('\n')) ?? []
  return [...comments.matchAll(/<!--(.*?)-->/gs)].map(([, comment]) => comment!.trim())
}

function obey(block: Block, comment: string): void {
  const [, word = comment, rest = ''] = /^(\w+)(?::\s*(.*))?$/s.exec(comment) ?? []
  if (word === 'run') {
    block.run = readRun(block, rest)
  } else if (word === 'given') {
    for (const declaration of rest.split(/;(?![^{]*\})/)) {
      const [, name, type] = /^\s*(\w+)\s*:\s*(.+)$/s.exec(declaration) ?? []
      if (name === undefined || type === undefined) throw new Error(`${block.name}: a name, a colon and a type`)
      block.given.push({ name, type: type.trim() })
    }
  } else if (word === 'skip') {
    if (rest === '') throw new Error(`${block.name}: skip needs a reason`)
    block.skip = rest
  } else {
    throw new Error(`${block.name}: unknown comment '${comment}'`)
  }
}

function readRun(block: Block, text: string): Run {
  const run: Run = { isServer: false, servers: [], prints: [] }
  for (const part of text.match(/(?:"[^"]*"|[^,"])+/g) ?? []) {
    const way = part.trim()
    const [server, port] = /^with server(?: (\d+))?$/.exec(way) ?? []
    const [, line] = /^prints "([^"]*)"$/.exec(way) ?? []
    if (way === 'a server') run.isServer = true
    else if (server !== undefined) run.servers.push(port ?? null)
    else if (line !== undefined) run.prints.push(line)
    else throw new Error(`${block.name}: unknown way to run: '${way}'`)
  }
  return run
}
