/**
 * `npm run bench:table -- FILE [--write]`: the README's figures from a file of results: printed, or with --write put between the
 * README's two marks.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { FigureRow, Results } from './results.ts'
import { readResults } from './results.ts'
import { figureTable, memoryTable, sceneTable, startTable } from './table.ts'

const README = fileURLToPath(new URL('../../README.md', import.meta.url))
const START = '<!-- figures:start -->'
const END = '<!-- figures:end -->'

/** Of the benches in this process, what a reader of the README wants to know; the rest is in the file. */
const SHOWN: readonly { readonly part: FigureRow['part']; readonly name: RegExp }[] = [
  { part: 'throughput', name: /^engine ÷ packed session$|^engine, one request ÷ padded/ },
  { part: 'latency', name: /^job through handler|^session run|^query p50/ },
  { part: 'encode', name: /^reading|^base64$|^numbers/ },
  { part: 'large-answers', name: /^ping/ },
  { part: 'queue-worker', name: /./ },
  { part: 'heartbeat', name: /./ },
]

/** What was measured, where, and with which versions; then how to read the ratios; then the tables. */
export function readmeSection(results: Results): string {
  const shown = results.figures.filter((figure) =>
    SHOWN.some(({ part, name }) => part === figure.part && name.test(figure.name)),
  )
  const parts = [
    introduction(results),
    sceneTable(results),
    startTable(results),
    memoryTable(results),
    figureTable(shown),
  ]
  return parts.filter((part) => part !== '').join('\n\n')
}

function introduction({ about, contestants, rows }: Results): string {
  const { processor, cores, node, date, profile } = about as Record<string, string>
  const { rounds } = (profile ?? {}) as { rounds?: number }
  const peers = contestants.filter(({ id }) => id !== 'ours' && rows.some((row) => row.contestant === id))
  const ratios =
    peers.length === 0 ? '' : ' In brackets: this program ÷ the other, medians of the ratios within a round.'
  return `${cores} cores of ${processor}, Node ${node?.replace(/^v/, '')}, ${date?.slice(0, 10)}; medians of ${rounds} rounds in one run.${ratios}`
}

/** The document with the section between its marks. Throws where it has none. */
export function withFigures(document: string, section: string): string {
  const start = document.indexOf(START)
  const end = document.indexOf(END)
  if (start < 0 || end < start) throw new Error(`README.md needs the lines ${START} and ${END}`)
  return `${document.slice(0, start)}${START}\n${section}\n${document.slice(end)}`
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { write: { type: 'boolean', default: false } },
  })
  const [file] = positionals
  if (file === undefined || positionals.length > 1) {
    console.error('usage: npm run bench:table -- bench/results/FILE.json [--write]')
    process.exit(2)
  }
  const section = readmeSection(readResults(file))
  if (values.write) writeFileSync(README, withFigures(readFileSync(README, 'utf8'), section))
  else console.log(section)
}
