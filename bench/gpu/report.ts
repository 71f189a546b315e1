/** Rows as tables for people. */
import type { Card } from './cards.ts'
import { median } from '../harness.ts'
import { judge } from './judge.ts'
import type { GoldenFinding, MemoryFinding, QueryFinding, Row, SpeedFinding, StartFinding } from './rows.ts'

type Cell = string | undefined

/** `card` is undefined on the CPU, and for one whose peak is not known. */
export function formatReport(rows: readonly Row[], card: Card | undefined): string {
  const speeds = rows.filter((row) => row.kind === 'speed')
  const plain = speeds.filter(({ variant }) => variant === undefined)
  const sections = [
    goldenSection(rows.filter((row) => row.kind === 'golden')),
    speedSection(plain, card),
    ratioSection(plain),
    querySection(
      rows.filter((row) => row.kind === 'query'),
      rows.filter((row) => row.kind === 'memory' && row.variant === undefined) as MemoryFinding[],
      rows.filter((row) => row.kind === 'start'),
    ),
    variantSection(speeds),
    agreementSection(rows),
    problemSection(rows),
  ]
  return sections.filter((section) => section !== '').join('\n\n')
}

function goldenSection(rows: readonly GoldenFinding[]): string {
  const groups = Map.groupBy(rows, (row) =>
    [row.family, row.provider, row.dtypeRequested, row.dtype].join(' '),
  )
  const lines = [...groups.values()].map((group) => {
    const [first] = group as [GoldenFinding]
    const { family, provider, dtypeRequested, dtype } = first
    const cosines = group.flatMap(({ minCosine }) => minCosine ?? [])
    return [
      family,
      `${provider} ${dtype}${dtype === dtypeRequested ? '' : ` for ${dtypeRequested}`}`,
      String(group.length),
      Math.max(...group.map(({ maxDiff }) => maxDiff)).toExponential(1),
      cosines.length === 0 ? undefined : Math.min(...cosines).toFixed(7),
    ]
  })
  const header = ['family', 'target', 'fixtures', 'max abs diff', 'least cosine']
  return formatTable('Golden fixtures', header, lines)
}

function speedSection(rows: readonly SpeedFinding[], card: Card | undefined): string {
  const lines = rows.map((row) => [
    row.model,
    row.peer ?? 'this',
    `${row.provider} ${row.dtype}`,
    row.set,
    String(row.batchSize),
    String(Math.round(row.textsPerSecond)),
    String(Math.round(row.tokensPerSecond)),
    shown(row.deviceTokensPerSecond, (speed) => String(Math.round(speed))),
    shown(row.deviceTflops, (tflops) => tflops.toPrecision(3)),
    sharePeak(row, row.tflops, card),
    sharePeak(row, row.deviceTflops, card),
    `±${(50 * ((row.slowest - row.fastest) / row.seconds)).toFixed(0)} %`,
  ])
  const header = ['model', 'peer', 'target', 'texts', 'batch', 'texts/s', 'tokens/s']
  const device = ['device tok/s', 'TFLOP/s', '% peak', '% device', 'spread']
  const title =
    card === undefined ? 'Speed' : `Speed; peak ${card.tflops} TFLOP/s dense fp16 (${card.source})`
  return formatTable(title, [...header, ...device], lines)
}

/** Of half precision only: fp32 has units of its own. */
function sharePeak({ dtype }: SpeedFinding, tflops: number | undefined, card: Card | undefined): Cell {
  if (card === undefined || tflops === undefined || dtype === 'fp32') return undefined
  return ((100 * tflops) / card.tflops).toFixed(1)
}

/** Against the fastest batch size of the peer. */
function ratioSection(rows: readonly SpeedFinding[]): string {
  const lines = rows
    .filter(({ peer }) => peer === undefined)
    .flatMap((row) => {
      const peers = rows.filter(
        ({ peer, model, set }) => peer !== undefined && model === row.model && set === row.set,
      )
      const best = peers.toSorted((a, b) => b.tokensPerSecond - a.tokensPerSecond)[0]
      return best === undefined
        ? []
        : [[row.model, row.set, `${(row.tokensPerSecond / best.tokensPerSecond).toFixed(2)} ×`, best.peer]]
    })
  return formatTable(
    'Tokens a second, this ÷ peer at its best batch size',
    ['model', 'texts', 'ratio', 'peer'],
    lines,
  )
}

function querySection(
  queries: readonly QueryFinding[],
  memories: readonly MemoryFinding[],
  starts: readonly StartFinding[],
): string {
  const keys = new Set(
    [...queries, ...memories, ...starts.map((start) => ({ ...start, peer: undefined }))].map(
      ({ model, peer }) => `${model} ${peer ?? 'this'}`,
    ),
  )
  const lines = [...keys].map((key) => {
    const isOf = (row: { model: string; peer?: string | undefined }) =>
      `${row.model} ${row.peer ?? 'this'}` === key
    const query = queries.find(isOf)
    const memory = memories.find(isOf)
    const start = starts.find(isOf)
    return [
      ...key.split(' '),
      shown(query?.p50, (ms) => ms.toFixed(2)),
      shown(query?.p99, (ms) => ms.toFixed(2)),
      shown(query?.jobP50, (ms) => ms.toFixed(2)),
      shown(memory?.loadMs, (ms) => String(Math.round(ms))),
      shown(start?.firstMs, (ms) => String(Math.round(ms))),
      shown(start?.laterMs, (all) => (all.length === 0 ? '–' : String(Math.round(median(all))))),
      shown(memory?.loadedMib, String),
      shown(memory?.peakMib, String),
    ]
  })
  const header = [
    'model',
    'peer',
    'query p50',
    'p99',
    'job p50',
    'load',
    'first start',
    'later',
    'loaded',
    'peak',
  ]
  return formatTable('One short query (ms), starts (ms), GPU memory (MiB)', header, lines)
}

function variantSection(rows: readonly SpeedFinding[]): string {
  const lines = rows
    .filter(({ variant }) => variant !== undefined)
    .flatMap((row) => {
      const base = rows.find(
        ({ variant, peer, model, set }) =>
          variant === undefined && peer === undefined && model === row.model && set === row.set,
      )
      const ratio = base === undefined ? undefined : row.tokensPerSecond / base.tokensPerSecond
      const device =
        base?.deviceTokensPerSecond === undefined || row.deviceTokensPerSecond === undefined
          ? undefined
          : row.deviceTokensPerSecond / base.deviceTokensPerSecond
      return [
        [
          row.variant,
          row.model,
          `${row.provider} ${row.dtype}`,
          row.set,
          String(Math.round(row.tokensPerSecond)),
          shown(ratio, (times) => `${times.toFixed(2)} ×`),
          shown(device, (times) => `${times.toFixed(2)} ×`),
        ],
      ]
    })
  const header = ['variant', 'model', 'target', 'texts', 'tokens/s', 'of plain', 'on the device']
  return formatTable('Other kernels and settings, against the program as it is', header, lines)
}

function agreementSection(rows: readonly Row[]): string {
  const lines = rows.flatMap((row) =>
    row.kind === 'agreement' ? [[row.model, row.dtype, String(row.texts), row.minCosine.toFixed(7)]] : [],
  )
  return formatTable('Vectors against the peer', ['model', 'dtype', 'texts', 'least cosine'], lines)
}

/** The JSON has all of it. */
const REASON_CHARACTERS = 400

function problemSection(rows: readonly Row[]): string {
  const problems = rows.flatMap((row) => {
    const reason = row.kind === 'problem' ? `${row.outcome}: ${row.reason}` : judge(row)
    const fixture = row.kind === 'problem' ? row.fixture : undefined
    return reason === undefined ? [] : [{ text: `${row.task}: ${reason}`, fixture }]
  })
  // what ails one fixture mostly ails all
  const lines = [...Map.groupBy(problems, ({ text }) => text)].map(([text, alike]) => {
    const fixtures = alike.flatMap(({ fixture }) => fixture ?? [])
    const more = fixtures.length > 1 ? ` and ${fixtures.length - 1} more` : ''
    const where = fixtures.length === 0 ? '' : ` (${fixtures[0]}${more})`
    return `  ${text.replaceAll(/\s+/g, ' ').slice(0, REASON_CHARACTERS)}${where}`
  })
  return lines.length === 0 ? '' : ['Not measured, or not as it should be', ...lines].join('\n')
}

/** JSON has null for what is no number. */
function shown<T>(value: T | undefined | null, format: (value: T) => string): Cell {
  return value === undefined || value === null ? undefined : format(value)
}

/** Empty where there are no lines. The first column is text, and so is what is not a number. */
function formatTable(title: string, header: readonly string[], lines: readonly (readonly Cell[])[]): string {
  if (lines.length === 0) return ''
  const rows = [header, ...lines.map((line) => line.map((cell) => cell ?? '–'))]
  const widths = header.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  const isNumber = header.map((_, column) =>
    rows.slice(1).every((row) => /^(?:[–±\d])/.test(row[column] ?? '')),
  )
  const text = rows.map((row) =>
    row
      .map((cell, column) =>
        isNumber[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  )
  return [title, ...text.map((line) => `  ${line}`)].join('\n')
}
