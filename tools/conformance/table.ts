/** The table of docs/models.md: what `npm run conformance` writes between its two marks. */
import type { Measured } from './measure.ts'

/** Largest difference that is the same number, as tests/golden has it. */
export const TOLERANCE = 2e-5

const START = '<!-- conformance:start -->'
const END = '<!-- conformance:end -->'

export interface FamilyRow extends Measured {
  readonly family: string
  readonly fixtures: number
}

/** All fixtures of a family as one row: the worst of each number. */
export function joinFixtures(family: string, fixtures: readonly Measured[]): FamilyRow {
  const cosines = fixtures.flatMap(({ cosine }) => (cosine === undefined ? [] : [cosine]))
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, next) => total + next, 0)
  return {
    family,
    fixtures: fixtures.length,
    cases: sum(fixtures.map(({ cases }) => cases)),
    difference: Math.max(...fixtures.map(({ difference }) => difference)),
    cosine: cosines.length === 0 ? undefined : Math.min(...cosines),
    sameIds: sum(fixtures.map(({ sameIds }) => sameIds)),
  }
}

export function conformanceTable(rows: readonly FamilyRow[]): string {
  const lines = rows.map(({ family, fixtures, cases, difference, cosine, sameIds }) => [
    family,
    String(fixtures),
    String(cases),
    difference.toExponential(1),
    cosine === undefined ? '–' : `1 − ${Math.abs(1 - cosine).toExponential(1)}`,
    sameIds === cases ? 'all' : `${sameIds} of ${cases}`,
  ])
  return [
    '| fixtures of | fixtures | cases | largest difference | least cosine | same token ids |',
    '|---|---|---|---|---|---|',
    ...lines.map((cells) => `| ${cells.join(' | ')} |`),
  ].join('\n')
}

/** The document with the table between its marks. Throws where it has none. */
export function withTable(document: string, table: string): string {
  const { before, after } = splitAtTable(document)
  return `${before}${table}\n${after}`
}

/** Rows of the document's table, each as its cells. Throws where it has none. */
export function readTable(document: string): string[][] {
  const [, , ...rows] = splitAtTable(document).table.trim().split('\n')
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

function splitAtTable(document: string): { before: string; table: string; after: string } {
  const start = document.indexOf(START)
  const end = document.indexOf(END)
  if (start < 0 || end < start) throw new Error(`docs/models.md needs the lines ${START} and ${END}`)
  const from = start + START.length + 1
  return { before: document.slice(0, from), table: document.slice(from, end), after: document.slice(end) }
}
