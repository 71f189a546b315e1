/** Where rows go: at once to a file of lines, so that a run that is killed leaves them, and at the end to one report. */
import { appendFileSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Row } from './rows.ts'

export class Results {
  readonly rows: Row[] = []
  readonly path: string
  /** Gone once the report is written. */
  readonly linesPath: string

  constructor(path: string, about: object) {
    this.path = path
    this.linesPath = `${path}.partial.jsonl`
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(this.linesPath, `${JSON.stringify({ kind: 'about-run', ...about })}\n`)
  }

  add(row: Row): void {
    this.rows.push(row)
    appendFileSync(this.linesPath, `${JSON.stringify(row)}\n`)
  }

  finish(about: object): void {
    const rows = this.rows
      .filter(({ kind }) => kind !== 'begin')
      .map((row) => `  ${JSON.stringify(round(row))}`)
    const head = JSON.stringify(about, undefined, 2).replace(/\n\}$/, '')
    writeFileSync(this.path, `${head},\n "rows": [\n${rows.join(',\n')}\n]}\n`)
    rmSync(this.linesPath)
  }
}

/** `2026-01-31-nvidia-h100-80gb-hbm3` */
export function resultName(date: Date, device: string): string {
  const slug = device
    .toLowerCase()
    .replaceAll(/\((?:r|tm)\)/g, '')
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '')
  return `${date.toISOString().slice(0, 10)}-${slug || 'unknown'}`
}

/** More digits than were measured only make reports hard to read; cosines are close to 1 and need theirs. */
function round(row: Row): object {
  return Object.fromEntries(
    Object.entries(row).map(([key, value]) => [key, /cosine/i.test(key) ? value : roundValue(value)]),
  )
}

function roundValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(roundValue)
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(6)) : value
}
