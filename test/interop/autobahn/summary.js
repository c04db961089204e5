// Reads the suite's index.json; returns the result in a few words.

/** The results of a case that are not failures. INFORMATIONAL and UNIMPLEMENTED mean no verdict. */
const RIGHT = ['OK', 'NON-STRICT', 'INFORMATIONAL', 'UNIMPLEMENTED']

/**
 * @param {string} json - `reports/servers/index.json` or `reports/clients/index.json`
 * @returns `{ isRight, text }`
 */
export function summaryOf(json) {
  const counts = {}
  const wrong = []
  for (const cases of Object.values(JSON.parse(json))) {
    for (const [id, { behavior, behaviorClose }] of Object.entries(cases)) {
      counts[behavior] = (counts[behavior] ?? 0) + 1
      if (!RIGHT.includes(behavior)) wrong.push(`${id} ${behavior}`)
      else if (!RIGHT.includes(behaviorClose)) wrong.push(`${id} closes ${behaviorClose}`)
    }
  }
  const parts = Object.entries(counts).map(([behavior, count]) => `${count} ${behavior}`)
  return { isRight: wrong.length === 0 && parts.length > 0, text: [parts.join(', '), ...wrong].join('\n  ') }
}
