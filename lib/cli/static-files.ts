// Serves the files of a folder. No listings, no hidden files, nothing outside the folder.

import { createReadStream } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http'
import { extname, isAbsolute, join, relative, sep } from 'node:path'
import { UsageError } from './io.js'

const TYPES: { readonly [extension: string]: string } = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.txt': 'text/plain; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.gif': 'image/gif',
  '.webp': 'image/webp',
  '.ico': 'image/vnd.microsoft.icon',
  '.wasm': 'application/wasm',
  '.woff2': 'font/woff2'
}

/** The response to a request: a file, or a status without one. */
type Found = { path: string; size: number } | { status: number; headers?: Record<string, string> }

export class StaticFiles {
  private constructor(private readonly root: string) {}

  /** @throws UsageError if it is not a folder */
  static async open(folder: string): Promise<StaticFiles> {
    const root = await realpath(folder).catch(() => null)
    if (root === null || !(await stat(root)).isDirectory()) throw new UsageError(`there is no folder ${folder}`)
    return new StaticFiles(root)
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method } = request
    const isKnown = method === 'GET' || method === 'HEAD'
    const found = isKnown ? await this.find(request.url!) : { status: 405, headers: { Allow: 'GET, HEAD' } }
    if ('status' in found) {
      const text = `${STATUS_CODES[found.status]}\n`
      const fields = { 'Content-Type': TYPES['.txt'], 'Content-Length': text.length }
      response.writeHead(found.status, { ...fields, ...found.headers })
      response.end(text)
    } else {
      send(found, method === 'HEAD', response)
    }
  }

  private async find(target: string): Promise<Found> {
    const names = namesOf(target)
    if (names === null) return { status: 404 }
    try {
      const found = await realpath(join(this.root, ...names))
      // a link may lead out of the folder, or to a hidden file in it
      const inside = relative(this.root, found)
      if (isAbsolute(inside) || inside.split(sep).some(name => name.startsWith('.'))) return { status: 404 }
      const info = await stat(found)
      if (info.isFile()) return { path: found, size: info.size }
      if (!info.isDirectory() || names.at(-1) === INDEX) return { status: 404 }
      return { status: 308, headers: { Location: `./${encodeURIComponent(names.at(-1)!)}/` } }
    } catch {
      return { status: 404 }
    }
  }
}

const INDEX = 'index.html'

/** The names in a path; null if the path is not allowed. */
function namesOf(target: string): string[] | null {
  let path: string
  try {
    path = decodeURIComponent(target.split('?', 1)[0]!)
  } catch {
    return null
  }
  const names = path.split('/').slice(1)
  if (names.at(-1) === '') names[names.length - 1] = INDEX
  // '', '.', '..' and hidden names; separators of other systems; NUL
  const isWrong = (name: string): boolean => name === '' || name.startsWith('.') || /[\\:\0]/.test(name)
  return names.length === 0 || names.some(isWrong) ? null : names
}

function send({ path, size }: { path: string; size: number }, isHead: boolean, response: ServerResponse): void {
  response.writeHead(200, {
    'Content-Type': TYPES[extname(path).toLowerCase()] ?? 'application/octet-stream',
    'Content-Length': size,
    'Cache-Control': 'no-cache',
    'X-Content-Type-Options': 'nosniff'
  })
  if (isHead || size === 0) {
    response.end()
    return
  }
  // send no more than Content-Length, even if the file has grown
  const file = createReadStream(path, { end: size - 1 })
  file.on('error', () => response.destroy())
  response.on('close', () => file.destroy())
  file.pipe(response)
}
