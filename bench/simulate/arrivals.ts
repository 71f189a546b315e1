/** Requests as they come, the same in every run of a seed. */
import { logNormalLengths } from '../../tools/random.ts'
import type { Priority } from '../../src/task.ts'

export interface Arrival {
  /** What requests of its kind are called in the report. */
  readonly kind: string
  readonly atMs: number
  /** Tokens of each item. */
  readonly lengths: readonly number[]
  readonly priority?: Priority
  readonly whenFull?: 'refuse' | 'wait'
  /** After which the answer is of no use. */
  readonly withinMs?: number
}

type Random = () => number

/** Log-normal lengths: half of them below the median, one in six above `median × e^sigma`. */
export interface Lengths {
  readonly median: number
  readonly sigma: number
  readonly most: number
}

export const QUERY: Lengths = { median: 12, sigma: 0.4, most: 64 }
/** As of paragraphs. */
export const PARAGRAPH: Lengths = { median: 63, sigma: 0.8, most: 256 }
export const HEAVY_TAIL: Lengths = { median: 24, sigma: 1.6, most: 8192 }

export interface Stream extends Omit<Arrival, 'atMs' | 'lengths'> {
  readonly items: number
  readonly lengths: Lengths
}

export function arrival(stream: Stream, atMs: number, random: Random): Arrival {
  const { items, lengths, ...others } = stream
  return { ...others, atMs, lengths: logNormalLengths(items, { least: 3, ...lengths }, random) }
}

/** So many requests a second on average, each for itself, until `endMs`. */
export function poisson(stream: Stream, perSecond: number, endMs: number, random: Random): Arrival[] {
  const arrivals: Arrival[] = []
  let atMs = 0
  for (;;) {
    atMs += (-1000 / perSecond) * Math.log(1 - random())
    if (atMs >= endMs) return arrivals
    arrivals.push(arrival(stream, atMs, random))
  }
}

/** `count` requests at once, every so many milliseconds. */
export function bursts(
  stream: Stream,
  { count, everyMs, endMs }: { readonly count: number; readonly everyMs: number; readonly endMs: number },
  random: Random,
): Arrival[] {
  return Array.from({ length: count * Math.ceil(endMs / everyMs) }, (_, index) =>
    arrival(stream, everyMs * Math.floor(index / count), random),
  )
}
