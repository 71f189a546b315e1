/** `node tools/clients-table.ts`: writes what the clients' tests have shown into the README, between its two marks. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What became of a client, as its tests write it. */
export interface ClientResult {
  readonly client: string
  /** Empty where none is known. */
  readonly version: string
  /** As the client is told, with H for the server's own address. */
  readonly baseUrl: string
  readonly works: string
  /** It ran; its requests were sent as it sends them; it could not be tried; it ran, and a test failed. */
  readonly status: 'works' | 'replayed' | 'skipped' | 'fails'
  /** Why it was skipped, or what failed. */
  readonly reason?: string
}

const ROOT = join(import.meta.dirname, '..')
const RESULTS = ['tests/clients/results.json', 'tests/clients/python/results.json']
const START = '<!-- clients:start -->'
const END = '<!-- clients:end -->'

export function readResults(): ClientResult[] {
  return RESULTS.map((path) => join(ROOT, path))
    .filter((path) => existsSync(path))
    .flatMap((path) => JSON.parse(readFileSync(path, 'utf8')) as ClientResult[])
}

/**
 * Versions of a client share a row, and so do clients of one name that differ in no column. Replayed requests are left out
 * where the client itself ran, under its name or one that goes on from it.
 */
export function clientsTable(results: readonly ClientResult[]): string {
  const ran = results.filter(({ status }) => status === 'works')
  const shown = results.filter(
    ({ client, status }) => status !== 'replayed' || !ran.some((other) => other.client.startsWith(client)),
  )
  const byVersion = merge(shown.map(toRow), ['client', 'baseUrl', 'works', 'outcome'])
  const rows = merge(byVersion, ['family', 'version', 'baseUrl', 'works', 'outcome'])
  const lines = rows.map((row) => [row.client, row.version, row.baseUrl, row.works, row.outcome])
  const cells = lines.map((line) => `| ${line.map((text) => text.replaceAll('|', '\\|')).join(' | ')} |`)
  return [
    '| client | version | base URL | what | |',
    '|---|---|---|---|---|',
    ...cells.toSorted(byLetters),
  ].join('\n')
}

/** The document with the table between its marks. Throws where it has none. */
export function withTable(document: string, table: string): string {
  const start = document.indexOf(START)
  const end = document.indexOf(END)
  if (start < 0 || end < start) throw new Error(`README.md needs the lines ${START} and ${END}`)
  return `${document.slice(0, start)}${START}\n${table}\n${document.slice(end)}`
}

interface Row {
  /** First word of the client's name. */
  readonly family: string
  readonly client: string
  readonly version: string
  readonly baseUrl: string
  readonly works: string
  readonly outcome: string
}

function toRow({ client, version, baseUrl, works, status, reason = '' }: ClientResult): Row {
  const family = client.split(' ')[0] ?? client
  return { family, client, version, baseUrl, works, outcome: reason === '' ? status : `${status}: ${reason}` }
}

/** One row for those that are alike in these columns, with all their versions and clients. */
function merge(rows: readonly Row[], columns: readonly (keyof Row)[]): Row[] {
  const groups = Map.groupBy(rows, (row) => JSON.stringify(columns.map((column) => row[column])))
  return [...groups.values()].map((alike) => {
    const [first] = alike as [Row, ...Row[]]
    const [client, ...others] = new Set(alike.map((row) => row.client))
    const names = [client, ...others.map((other) => other.slice(first.family.length).trim())]
    const versions = new Set(alike.map(({ version }) => version))
    return { ...first, client: names.join(', '), version: [...versions].join(', ') }
  })
}

function byLetters(one: string, other: string): number {
  return one.toLowerCase() < other.toLowerCase() ? -1 : 1
}

if (import.meta.main) {
  const path = join(ROOT, 'README.md')
  writeFileSync(path, withTable(readFileSync(path, 'utf8'), clientsTable(readResults())))
}
