/** How far an interpreted graph is from the numbers of the Python libraries. */
import type { CompiledGraph, InputRole } from '../../src/graph/contract.ts'
import { OUTPUT, TOKENS } from '../../src/graph/contract.ts'
import type { Feed } from '../../src/runtime/feeds.ts'
import { layOut } from '../../src/runtime/feeds.ts'
import type { GoldenBatch } from './golden-batch.ts'
import { prepare } from './interpret.ts'
import type { Rounding, Tensor } from './tensor.ts'
import { widthOf } from './tensor.ts'

export interface Distance {
  /** The largest of any number, as a part of the largest number of its row, or of 1 where all are smaller. */
  readonly difference: number
  /** The least between a row and what it must be. */
  readonly cosine: number
}

export interface DistanceOptions {
  readonly rounding?: Rounding
  readonly feeds?: ReadonlyMap<InputRole, Feed>
}

/** Over all rows, and the tokens of rows whose tokens are told. NaN where a number is not finite. */
export function goldenDistance(
  { batch, expected, tokens }: GoldenBatch,
  compiled: CompiledGraph,
  { rounding = 'declared', feeds = layOut(batch, compiled.inputs, compiled) }: DistanceOptions = {},
): Distance {
  const outputs = prepare(compiled.graph, rounding)(feeds)
  const rowsOf = (name: string, first: number, end: number) => {
    const { data, dims } = outputs.get(name) as Tensor
    const width = widthOf({ dims })
    return data.subarray(first * width, end * width)
  }
  const rows = expected.map(({ numbers, from }, b) => compare(rowsOf(OUTPUT, b + from, b + 1), numbers))
  const states = tokens.flatMap((row, b) => {
    const [first = 0, end = 0] = batch.bounds.subarray(b, b + 2)
    return row === undefined
      ? []
      : [compare(lastOf(rowsOf(TOKENS, first, end), end - first, row.length), row)]
  })
  const all = [...rows, ...states]
  return {
    difference: Math.max(...all.map(({ difference }) => difference)),
    cosine: Math.min(...all.map(({ cosine }) => cosine)),
  }
}

/** The last numbers of each of `count` tokens, `total` in all. */
function lastOf(data: Float64Array, count: number, total: number): Float64Array {
  const [width, own] = [data.length / count, total / count]
  if (width === own) return data
  return data.filter((_, index) => index % width >= width - own)
}

/** The output may go on behind the numbers that are told. */
function compare(actual: Float64Array, expected: readonly number[]): Distance {
  let [dot, one, other, apart, largest] = [0, 0, 0, 0, 1]
  for (const [i, value] of expected.entries()) {
    const given = actual[i] ?? NaN
    dot += value * given
    one += value * value
    other += given * given
    apart = Math.max(apart, Math.abs(value - given))
    largest = Math.max(largest, Math.abs(value))
  }
  // Where the reference gives zeros (a text without tokens), only zeros agree.
  const cosine = one === 0 && other === 0 ? 1 : dot / Math.sqrt(one * other)
  return { difference: apart / largest, cosine }
}
