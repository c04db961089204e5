// Checks the origins in the option `origins`: a text that no browser sends as its `Origin` would never match, and throws at once.

/** @throws TypeError if a browser cannot send it as an `Origin` (RFC 6454 §6.2), saying what it would send */
export function checkListedOrigin(text: string): void {
  if (isSent(text)) return
  const rule = "an origin in origins is scheme://host[:port] as a browser sends it, in lower case, or 'null'"
  throw new TypeError(`${rule}, not '${text}'${hintFor(text)}`)
}

/** Sandboxed frames send `null`; apps and extensions have schemes of their own, whose hosts the URL standard leaves as they are. */
function isSent(text: string): boolean {
  if (text === 'null') return true
  const [, scheme] = /^([a-z][a-z\d+.-]*):\/\/[^/?#@\\\s*]*$/.exec(text) ?? []
  if (scheme === undefined || scheme === 'ws' || scheme === 'wss') return false
  const isWeb = scheme === 'http' || scheme === 'https'
  return !isWeb || originOf(text) === text
}

function hintFor(text: string): string {
  if (text.includes('*')) return '; for any origin, or a pattern, give a function: origins: origin => true'
  // no page has the scheme ws: the page that opens it has http: on the same host
  const url = (text.includes('://') ? text : `http://${text}`).replace(/^ws(s?):/i, 'http$1:')
  const meant = originOf(url)
  return meant === undefined ? '' : `; did you mean '${meant}'?`
}

/** The origin of a URL of http: or https:; undefined for any other. */
function originOf(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined
  const { origin } = new URL(text)
  return origin === 'null' ? undefined : origin
}
