/** One run as a file: everything that was measured, and what a figure is worth nothing without. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release, totalmem } from 'node:os'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ClientCost } from '../client/cost.ts'
import type { MemoryRow } from '../scenes/memory-scene.ts'
import type { SceneRow } from '../scenes/run-rounds.ts'
import type { Scene } from '../scenes/scene.ts'
import type { StartRow } from '../scenes/start-scene.ts'

export interface ContestantRow {
  readonly id: string
  readonly title: string
  readonly versions: Readonly<Record<string, string>>
  readonly settings: string
  readonly isServer: boolean
  /** To our vectors, over texts of mixed lengths. */
  readonly leastCosine: number
  /** Resident memory of all its processes once loaded and warm, and after all scenes; null where it is not known. */
  readonly loadedMb: number | null
  readonly afterMb: number | null
}

export interface FigureRow {
  readonly part: string
  readonly section: string
  readonly name: string
  readonly value: string
  readonly mark?: string
}

export interface Results {
  readonly about: Readonly<Record<string, unknown>>
  readonly skipped: readonly { readonly peer: string; readonly reason: string }[]
  readonly client: readonly ClientCost[]
  readonly contestants: readonly ContestantRow[]
  readonly scenes: readonly Scene[]
  readonly rows: readonly SceneRow[]
  readonly starts: readonly StartRow[]
  readonly memory: readonly MemoryRow[]
  readonly figures: readonly FigureRow[]
}

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

export function aboutMachine(): Record<string, unknown> {
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform}/${process.arch} ${release()}`,
    node: process.version,
    loadAtStart: loadavg()[0],
    revision: git('rev-parse', 'HEAD'),
    changedSince: git('status', '--porcelain', '--untracked-files=no') !== '',
  }
}

function git(...args: readonly string[]): string | undefined {
  try {
    return execFileSync('git', args, {
      cwd: ROOT,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return undefined
  }
}

/** A row a line, so that people can read it and two runs can be compared. */
export function encodeResults(results: Results): string {
  const sections = Object.entries(results).map(([name, value]: [string, unknown]) => {
    if (!Array.isArray(value)) return `"${name}": ${JSON.stringify(value, undefined, 2)}`
    const lines = value.map((row) => `  ${JSON.stringify(row, shorten)}`)
    return `"${name}": [${lines.length === 0 ? '' : `\n${lines.join(',\n')}\n`}]`
  })
  return `{\n${sections.join(',\n')}\n}\n`
}

/** More digits than were measured only make it hard to read; cosines are close to 1 and need theirs. */
function shorten(key: string, value: unknown): unknown {
  if (typeof value !== 'number' || Number.isInteger(value) || key === 'leastCosine') return value
  return Number(value.toPrecision(5))
}

export function writeResults(path: string, results: Results): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, encodeResults(results))
}

export function readResults(path: string): Results {
  return JSON.parse(readFileSync(path, 'utf8')) as Results
}
