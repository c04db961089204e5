// node benchmarks/plot.js [MAJOR]: the last whole runs, of the questions that are not in the short form too, as a plot, results/ratios.svg, as
// tables in benchmarks/README.md, as six rows in the README of the project, and as a table in docs/scaling.md. These are of the line of Node
// that is named, 24 if none is; two tables in benchmarks/README.md, of the echo and of the bars that were not reached, are of all lines.
// The plot is a logarithmic ladder of ratios: as many times as good as ws to the right of the line, worse to the left.

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { at, barText, LONG, put, short } from './harness.js'

const shownLine = process.argv[2] ?? '24'
const load = file => (existsSync(at(file)) ? JSON.parse(readFileSync(at(file), 'utf8')) : undefined)
/** The short form, by line of Node. */
const runs = Object.fromEntries(
  readdirSync(at('./results'))
    .map(line => [line, load(`./results/${line}/latest.json`)])
    .filter(([, run]) => run !== undefined)
)
const latest = runs[shownLine]
if (latest === undefined) {
  console.error(`there are no figures of Node ${shownLine} yet: run \`npm run bench -- --nodes ${shownLine}\` first`)
  process.exit(1)
}
const { date, cpus, model, versions } = latest
/** The runs of the questions that are not in the short form, by question: each may be of another day. */
const others = Object.fromEntries(
  LONG.map(name => [name, load(`./results/${shownLine}/${name}.json`)]).filter(([, run]) => run !== undefined)
)
const results = [
  ...latest.results.filter(({ question }) => !(question in others)),
  ...Object.values(others).flatMap(({ results }) => results)
]

/** What the plot shows. */
const titles = {
  decode: 'Decoding in process, messages per CPU second',
  encode: 'Encoding in process, messages per CPU second',
  echo: 'Echo over loopback',
  clients: 'Clients',
  handshakes: 'Handshakes',
  idle: 'Idle connections: less is better, and to the left',
  compression: 'Compressed echo, and memory of its connections',
  growth: 'Growth'
}
/** What only the tables show. */
const tableTitles = {
  ...titles,
  tls: 'Echo over TLS',
  http2: 'Echo over HTTP/2',
  processes: 'One port, two processes',
  scale: 'From 100 to as many connections as a process may have',
  broadcast: 'The same to many',
  relay: 'A relay',
  driver: 'In the place of websocket-driver',
  imports: 'Importing the package',
  stages: 'One stage more'
}

const escaped = text =>
  text.replace(/[&<>"]/g, each => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[each])
const shown = results.filter(({ reference, question }) => reference === 'ws' && question in titles)
const isOurs = name => name.startsWith('ours')

// ---- the plot ---------------------------------------------------------------------------------------------------

const WIDTH = 980
const LEFT = 440
const RIGHT = WIDTH - 30
const STEP = 17
const LOWEST = 1 / 16
const HIGHEST = 32

const x = ratio => {
  const place = Math.log(Math.min(HIGHEST, Math.max(LOWEST, ratio)) / LOWEST) / Math.log(HIGHEST / LOWEST)
  return (LEFT + place * (RIGHT - LEFT)).toFixed(1)
}

/** A mark for each kind of contestant, told apart by shape as well as by colour. */
function mark(name, ratio, y) {
  const at = x(ratio)
  const title = `<title>${escaped(name)}: ${ratio.toFixed(2)}</title>`
  if (name === 'bun' || name === 'deno') {
    return `<path class="native" d="M${at} ${y - 4}l4 4l-4 4l-4 -4z">${title}</path>`
  }
  const shape = isOurs(name) ? 'ours' : 'other'
  return `<circle class="${shape}" cx="${at}" cy="${y}" r="${shape === 'ours' ? 4 : 3}">${title}</circle>`
}

function plot() {
  const parts = []
  let y = 64
  for (const [question, title] of Object.entries(titles)) {
    const rows = shown.filter(row => row.question === question && row.measure !== 'p99, ms')
    if (!rows.length) continue
    y += 14
    parts.push(`<text class="title" x="12" y="${y}">${escaped(title)}</text>`)
    y += STEP
    for (const { name, measure, figures } of rows) {
      const suffix =
        question === 'decode' || question === 'encode' ? '' : ` · ${measure.replace(' per million messages', ' / M')}`
      parts.push(`<text x="${LEFT - 10}" y="${y + 4}" text-anchor="end">${escaped(name + suffix)}</text>`)
      parts.push(`<line class="rung" x1="${LEFT}" x2="${RIGHT}" y1="${y}" y2="${y}"/>`)
      const order = Object.entries(figures).sort(([a], [b]) => Number(isOurs(a)) - Number(isOurs(b)))
      for (const [contestant, { ratio }] of order) {
        if (contestant !== 'ws' && Number.isFinite(ratio) && ratio > 0) parts.push(mark(contestant, ratio, y))
      }
      y += STEP
    }
  }
  const height = y + 20
  const ticks = [1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8, 16, 32].map(ratio => {
    const text = ratio < 1 ? `1/${1 / ratio}` : String(ratio)
    return (
      `<line class="${ratio === 1 ? 'one' : 'tick'}" x1="${x(ratio)}" x2="${x(ratio)}" y1="58" y2="${height - 18}"/>` +
      `<text x="${x(ratio)}" y="52" text-anchor="middle">${text}</text>`
    )
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="Ratios to ws">
<style>
svg { color-scheme: light dark; font: 11px system-ui, sans-serif; background: #fff; --ink: #333; --faint: #e4e4e4; --line: #888; --ours: #0b62c4; --other: #9a6b00; --native: #7a3fa0 }
@media (prefers-color-scheme: dark) { svg { background: #16181c; --ink: #d5d8dd; --faint: #2b2f36; --line: #8b929c; --ours: #62a8ff; --other: #e0b04a; --native: #c795ee } }
text { fill: var(--ink) } .title { font-weight: 600; font-size: 12px }
.rung, .tick { stroke: var(--faint) } .one { stroke: var(--line); stroke-width: 1.5 }
.ours { fill: var(--ours) } .other { fill: none; stroke: var(--other); stroke-width: 1.5 } .native { fill: none; stroke: var(--native); stroke-width: 1.5 }
</style>
<text class="title" x="12" y="20">Times as good as ws ${escaped(versions.ws)} in the same run (log scale)</text>
<text x="12" y="36">${escaped(`${date}, Node ${versions.node}, ${cpus} CPUs, ${model}`)}</text>
<circle class="ours" cx="${LEFT + 4}" cy="16" r="4"/><text x="${LEFT + 14}" y="20">websocket-duplex</text>
<circle class="other" cx="${LEFT + 124}" cy="16" r="3"/><text x="${LEFT + 134}" y="20">other libraries</text>
<path class="native" d="M${LEFT + 230} 12l4 4l-4 4l-4 -4z"/><text x="${LEFT + 240}" y="20">Bun, Deno</text>
${[...ticks, ...parts].join('\n')}
</svg>
`
}

// ---- the table --------------------------------------------------------------------------------------------------

/** When, how and with what a run was made: all of it, or what is not as in `other`. */
function circumstances({ date, full, cpus, model, versions }, other) {
  const list = Object.entries(versions)
    .filter(([name, version]) => name === 'node' || other?.versions[name] !== version)
    .map(([name, version]) => `${name} ${version}`)
  const machine = other?.cpus === cpus && other.model === model ? '' : `, ${cpus} CPUs (${model})`
  return `${date}, ${full ? 'full' : 'quick'} run${machine}; ${list.join(', ')}.`
}

function table() {
  const lines = []
  for (const [question, title] of Object.entries(tableTitles)) {
    const rows = results.filter(row => row.question === question)
    if (!rows.length) continue
    lines.push(`### ${title}`, '')
    if (question in others) lines.push(circumstances(others[question], latest), '')
    lines.push('| case | measure | contestant | median | spread | ratio |', '|---|---|---|--:|--:|--:|')
    for (const row of rows) lines.push(...tableRows(row))
    lines.push('')
  }
  return `${circumstances(latest)}\n\n![Ratios to ws](results/ratios.svg)\n\n${lines.join('\n')}`
}

function tableRows({ name, measure, figures, reference }) {
  return Object.entries(figures).map(([contestant, figure], i) => {
    const { median, low, high, ratio, bars = [] } = figure
    const more = bars
      .filter(({ of }) => of !== reference)
      .map(({ of }) => `${figure[`ratio to ${of}`].toFixed(2)} of ${of}`)
    const cells = [
      i ? '' : name,
      i ? '' : measure,
      contestant,
      short(median),
      `${short(low)}–${short(high)}`,
      [ratio === undefined ? '' : ratio.toFixed(2), ...more].join(', ')
    ]
    return `| ${cells.join(' | ')} |`
  })
}

/** The echo on every line of Node: ratios of CPU and latencies, by attach and by pipes. */
function byNode() {
  const lines = Object.keys(runs)
  const [attach, pipes] = ['ours: event, attach', 'ours: messages, pipes']
  const find = (line, name, measure) =>
    runs[line].results.find(row => row.question === 'echo' && row.name === name && row.measure === measure)?.figures
  const ratios = figures => [attach, pipes].map(each => figures?.[each]?.ratio.toFixed(2) ?? '-').join(' / ')
  const medians = figures => (figures ? [attach, pipes, 'ws'].map(each => short(figures[each].median)).join(' / ') : '')
  const names = new Set(runs[shownLine].results.filter(({ question }) => question === 'echo').map(({ name }) => name))
  const rows = [...names].map(name => [
    name,
    ...lines.flatMap(line => [
      ratios(find(line, name, 'server CPU seconds per million messages')),
      medians(find(line, name, 'p50, ms')),
      medians(find(line, name, 'p99, ms'))
    ])
  ])
  const heads = lines.flatMap(line => [`Node ${line}: CPU`, 'p50, ms', 'p99, ms'])
  const about = Object.values(runs).map(run => circumstances(run, run === latest ? undefined : latest))
  return [
    about.join('\n'),
    '',
    `| case | ${heads.join(' | ')} |`,
    `|---|${'--:|'.repeat(heads.length)}`,
    ...rows.map(cells => `| ${cells.join(' | ')} |`)
  ].join('\n')
}

/** What was not reached, on every line of Node. */
function missed() {
  return Object.values(runs)
    .map(run => missedBy(run === latest ? results : run.results, run))
    .join('\n\n')
}

/** The bars beside ws that were not reached, by CPU where there are both: each case with the ratios of the contestants that have the bar. */
function missedBy(results, run) {
  const lines = ['| case | measure | target | ratio to ws |', '|---|---|--:|---|']
  for (const { question, name, measure, reference, figures } of results) {
    if (['decode', 'encode'].includes(question) || measure === 'messages/s') continue
    const judged = Object.entries(figures).flatMap(([contestant, { ratio, bars = [] }]) =>
      bars.filter(({ of }) => of === reference).map(bar => ({ contestant, ratio, bar }))
    )
    if (judged.every(({ bar }) => bar.met)) continue
    const ratios = judged.map(({ contestant, ratio }) => `${contestant.replace('ours: ', '')} ${ratio.toFixed(2)}`)
    const bars = [...new Set(judged.map(({ bar }) => barText(bar)))]
    lines.push(`| ${[`${question}: ${name}`, measure, bars.join(', '), ratios.join('; ')].join(' | ')} |`)
  }
  return `${circumstances(run, run === latest ? undefined : latest)}\n\n${lines.join('\n')}`
}

/** For docs/scaling.md: what each way to serve one port comes to, a line for each case of a library. */
function processes() {
  const { results, ...run } = others.processes
  const names = [...new Set(results.map(({ name }) => name))]
  const ways = [...new Set(Object.keys(results[0].figures).map(contestant => contestant.split(': ')[1]))]
  const lines = [`| | | ${ways.join(' | ')} |`, `|---|---|${'--:|'.repeat(ways.length)}`]
  for (const name of names) {
    for (const { measure, figures } of results.filter(row => row.name === name)) {
      const cells = Object.values(figures).map(({ median }) => short(median))
      lines.push(`| ${[measure === 'messages/s' ? name : '', measure, ...cells].join(' | ')} |`)
    }
  }
  return `${circumstances(run, latest)}\n\n${lines.join('\n')}`
}

/** What the front page shows: some of what is ahead of ws, and some of what is behind. */
const SUMMARY = [
  ['read messages of 125 bytes of ASCII, in process', 'decode', '125 B ascii, masked, as a server reads'],
  [
    'echo 125 bytes, 50 connections, 1 message in flight: server CPU',
    'echo',
    '125 B binary, 50 connections, 1 in flight',
    'server CPU seconds per million messages'
  ],
  [
    'echo 125 bytes, 50 connections, 100 in flight: messages/s',
    'echo',
    '125 B binary, 50 connections, 100 in flight',
    'messages/s'
  ],
  ['echo 16 KiB, 50 connections: messages/s', 'echo', '16 KiB binary, 50 connections, 1 in flight', 'messages/s'],
  ['echo 1 MiB, 50 connections: messages/s', 'echo', '1 MiB binary, 50 connections, 1 in flight', 'messages/s'],
  ['heap of an idle connection (less is better)', 'idle', '2000 idle connections', 'bytes of heap a connection']
]

/** The front page's rows: how many times as good as ws, by attach and by pipes. */
function summary() {
  const lines = ['| case | by `attach` | by `pipe` or `write` |', '|---|--:|--:|']
  for (const [title, question, name, measure] of SUMMARY) {
    const row = results.find(
      each => each.question === question && each.name === name && (measure === undefined || each.measure === measure)
    )
    if (row === undefined) throw new Error(`the results of Node ${shownLine} have no case '${name}' of ${question}`)
    const ours = Object.entries(row.figures).filter(([each, { bars }]) => isOurs(each) && bars)
    const piped = ours.find(([each]) => /by write|pipes/.test(each))
    const attached = ours.find(entry => entry !== piped)
    const ratio = entry => (entry?.[1].ratio === undefined ? '' : entry[1].ratio.toFixed(2))
    lines.push(`| ${title} | ${ratio(attached)} | ${ratio(piped)} |`)
  }
  const about = `Times as good as ws ${versions.ws} with bufferutil in the same run: ${date}, Node ${versions.node}, ${cpus} CPUs (${model}).`
  return [about, '', ...lines].join('\n')
}

put('./README.md', table(), 'bench')
put('./README.md', missed(), 'missed')
put('./README.md', byNode(), 'nodes')
if (others.processes) put('../docs/scaling.md', processes(), 'processes')
put('../README.md', summary(), 'bench')
writeFileSync(at('./results/ratios.svg'), plot())
