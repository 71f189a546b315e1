/** Results as Markdown. A ratio stands only where both were measured in the same run, for that is all that a file holds. */
import { median } from '../harness.ts'
import type { SceneRow } from '../scenes/run-rounds.ts'
import type { Metric, Shown } from '../scenes/scene.ts'
import type { StartRow } from '../scenes/start-scene.ts'
import type { ContestantRow, FigureRow, Results } from './results.ts'

export const OURS = 'ours'

interface MetricForm {
  readonly label: string
  readonly write: (value: number) => string
}

const FORMS: Readonly<Record<Metric, MetricForm>> = {
  tokensPerSecond: { label: 'tokens/s', write: groups },
  requestsPerSecond: { label: 'requests/s', write: groups },
  p50Ms: { label: 'p50', write: milliseconds },
  p99Ms: { label: 'p99', write: milliseconds },
}

/** A row for each lane of a scene that tells something, a column for each contestant; ours first. */
export function sceneTable(results: Results): string {
  const contestants = results.contestants.filter(({ id }) =>
    results.rows.some((row) => row.contestant === id),
  )
  if (contestants.length === 0) return ''
  const head = ['', ...contestants.map(({ title }) => title)]
  const lines = results.scenes.flatMap(({ id, title, shown }) =>
    shown.map((lane) => laneLine({ scene: id, title: lane.title ?? title, lane }, contestants, results.rows)),
  )
  return markdown(head, lines)
}

interface LanePlace {
  readonly scene: string
  readonly title: string
  readonly lane: Shown
}

function laneLine(
  { scene, title, lane }: LanePlace,
  contestants: readonly ContestantRow[],
  rows: readonly SceneRow[],
): string[] {
  const find = (id: string, name = scene) =>
    rows.find((row) => row.scene === name && row.lane === lane.lane && row.contestant === id)
  const ours = find(OURS)
  const labels = lane.metrics.map((metric) => FORMS[metric].label).join(', ')
  const cells = contestants.map(({ id }) => {
    const row = find(id)
    if (row === undefined) return ''
    if (row.failed > 0) return `${row.failed} of ${row.failed + row.requests} failed`
    const alone = lane.alone === undefined ? undefined : find(id, lane.alone)
    return `${laneFigures(row, lane)}${shareLeft(row, alone, lane)}${ratios(ours, row, lane)}`
  })
  return [`${title}: ${labels}`, ...cells]
}

function laneFigures(row: SceneRow, { metrics }: Shown): string {
  return metrics.map((metric) => FORMS[metric].write(row.figures[metric])).join(', ')
}

function shareLeft(row: SceneRow, alone: SceneRow | undefined, { metrics: [metric] }: Shown): string {
  if (alone === undefined || alone.failed > 0 || metric === undefined) return ''
  return `, ${Math.round(100 * ratioOf(row, alone, metric))} % of alone`
}

/** How ours are against a peer's, in the order of the figures. */
function ratios(ours: SceneRow | undefined, theirs: SceneRow, { metrics }: Shown): string {
  if (ours === undefined || ours === theirs || ours.failed > 0) return ''
  return ` (${metrics.map((metric) => ratioOf(ours, theirs, metric).toFixed(2)).join(', ')} ×)`
}

/** One ÷ other: the median over rounds of the ratio within each. */
export function ratioOf(one: SceneRow, other: SceneRow, metric: Metric): number {
  const values = other.perRound[metric]
  return median(
    one.perRound[metric].slice(0, values.length).map((value, round) => value / (values[round] as number)),
  )
}

export function startTable({ starts }: Results): string {
  const titles = new Map(starts.map(({ contestant, title }) => [contestant, title]))
  const secondsOf = (id: string, state: StartRow['state']) => {
    const row = starts.find((start) => start.contestant === id && start.state === state)
    return row === undefined ? '' : `${(row.ms / 1000).toFixed(2)} s`
  }
  return markdown(
    ['start of the process → first answer', 'first start', 'warm cache'],
    [...titles].map(([id, title]) => [title, secondsOf(id, 'first'), secondsOf(id, 'warm cache')]),
  )
}

/** Of servers of this machine, in which it could be read. */
export function memoryTable({ contestants, memory }: Results): string {
  const loaded = contestants
    .filter(({ isServer, loadedMb }) => isServer && loadedMb !== null)
    .map(({ title, loadedMb, afterMb }) => [title, megabytes(loadedMb), megabytes(afterMb)])
  const grown = memory.map(({ title, minutes, growthMb, peakMb }) => {
    return [
      `${title}, ${minutes} minutes of mixed load`,
      `grew by ${megabytes(growthMb)}`,
      `at most ${megabytes(peakMb)}`,
    ]
  })
  return markdown(['resident memory', 'once loaded', 'after all scenes'], [...loaded, ...grown])
}

/** What the generator costs, so that nobody has to take it for free. */
export function clientTable({ client }: Results): string {
  return markdown(
    ['load generator against a stub', 'its processor time a request', 'requests/s', 'p50', 'p99'],
    client.map((row) => [
      row.name,
      `${row.cpuMs.toFixed(3)} ms`,
      groups(row.requestsPerSecond),
      milliseconds(row.p50Ms),
      milliseconds(row.p99Ms),
    ]),
  )
}

/** Figures of the benches in this process. */
export function figureTable(figures: readonly FigureRow[]): string {
  return markdown(
    ['', ''],
    figures.map(({ section, name, value }) => [`${section}: ${name}`, value]),
  )
}

/** Nothing where there is no row. */
function markdown(head: readonly string[], lines: readonly (readonly string[])[]): string {
  if (lines.length === 0) return ''
  const write = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [write(head), `|${head.map(() => '---|').join('')}`, ...lines.map(write)].join('\n')
}

function groups(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

function milliseconds(value: number): string {
  if (value >= 10_000) return `${(value / 1000).toFixed(1)} s`
  return value >= 100 ? `${Math.round(value)} ms` : `${value.toPrecision(2)} ms`
}

function megabytes(value: number | null): string {
  if (value === null) return ''
  return `${Math.round(value)} MB`
}
