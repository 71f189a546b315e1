/** What every bench shares: seeded texts, interleaved rounds, and figures that can be compared. */
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import { logNormalLengths } from '../tools/random.ts'

export { seededRandom } from '../tools/random.ts'

export const MODEL = fileURLToPath(new URL('../models/all-MiniLM-L6-v2-int8', import.meta.url))

/** Token counts, special tokens included: log-normal, median 63, from 5 to 256, as real paragraphs are. */
export function mixedLengths(count: number, random: () => number): number[] {
  return logNormalLengths(count, { median: 63, sigma: 0.8, least: 5, most: 256 }, random)
}

/** A text of exactly so many tokens for the bundled model: words that are one token each. */
export function textOf(tokens: number, random: () => number): string {
  return Array.from({ length: tokens - 2 }, () => WORDS[Math.floor(random() * WORDS.length)]).join(' ')
}

const WORDS = readWords()

function readWords(): string[] {
  const { model } = JSON.parse(readFileSync(`${MODEL}/tokenizer.json`, 'utf8')) as {
    model: { vocab: Record<string, number> }
  }
  return Object.keys(model.vocab).filter((word) => /^[a-z]{3,9}$/.test(word))
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number
}

/** Runs the variants in turn, round after round, so that a machine whose speed drifts treats all alike. Seconds by name. */
export async function interleave(
  rounds: number,
  variants: Readonly<Record<string, () => Promise<unknown>>>,
): Promise<Record<string, number[]>> {
  const seconds: Record<string, number[]> = Object.fromEntries(
    Object.keys(variants).map((name) => [name, []]),
  )
  for (const run of Object.values(variants)) await run()
  for (let round = 0; round < rounds; round++) {
    for (const [name, run] of Object.entries(variants)) {
      const start = performance.now()
      await run()
      seconds[name]?.push((performance.now() - start) / 1000)
    }
  }
  return seconds
}

/** Median over rounds of how many times as fast `fast` was as `slow`. */
export function ratio(seconds: Record<string, number[]>, fast: string, slow: string): number {
  return median((seconds[fast] ?? []).map((value, round) => (seconds[slow]?.[round] as number) / value))
}

export function printMachine(): void {
  const [cpu] = cpus()
  console.log(
    `${cpu?.model.trim()} × ${availableParallelism()}, load ${loadavg()[0]?.toFixed(2)}, Node ${process.version}`,
  )
}

/** A line of the report: a figure and, where there is one, the mark it should reach. */
export function printFigure(name: string, value: string, mark = ''): void {
  console.log(`  ${name.padEnd(58)} ${value.padStart(14)}${mark && `   (mark: ${mark})`}`)
}
