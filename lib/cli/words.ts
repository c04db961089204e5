// Splits a command line into words. Supports quotes and backslashes, but nothing else of a shell.

import { UsageError } from './io.js'

/** A word: bare, escaped or quoted pieces. */
const WORD = /(?:[^\s'"\\]|\\[\s\S]|'[^']*'|"(?:[^"\\]|\\[\s\S])*")+/y
const PIECE = /\\([\s\S])|'([^']*)'|"((?:[^"\\]|\\[\s\S])*)"/g

/** @throws UsageError if a quote is not closed, or there is no word */
export function splitWords(text: string): string[] {
  const words: string[] = []
  let rest = text.trim()
  while (rest !== '') {
    WORD.lastIndex = 0
    const word = WORD.exec(rest)?.[0]
    if (word === undefined || /^\S/.test(rest.slice(word.length))) {
      throw new UsageError(`a quote is not closed, or a backslash is the last character: ${text}`)
    }
    words.push(word.replace(PIECE, unquote))
    rest = rest.slice(word.length).trimStart()
  }
  if (words.length === 0) throw new UsageError('--command needs a command')
  return words
}

function unquote(_piece: string, escaped?: string, literal?: string, quoted?: string): string {
  return escaped ?? literal ?? quoted!.replace(/\\(["\\])/g, '$1')
}
