/** Rows of texts run through a graph, and what comes out compared. */
import type { CompiledGraph } from '../../graph/contract.ts'
import { runBatch } from '../warm-up.ts'
import type { RaggedBatch, RaggedRow } from '../runner.ts'
import { NO_ADAPTER, joinRows } from '../runner.ts'
import type { Session } from '../session.ts'
import type { Fidelity } from './protocol.ts'

/** As the CPU's batches have. */
const BATCH_TOKENS = 512

export interface Runnable {
  readonly graph: CompiledGraph
  readonly session: Session
}

/** In batches of rows as they come, cut to what the model takes; rows with ids that it lacks are left out. */
export function batchesOf(texts: RaggedBatch, { maxTokens, vocabularySize }: CompiledGraph): RaggedBatch[] {
  const { ids, bounds, typeStarts, unpooledTokens } = texts
  const batches: RaggedRow[][] = []
  let tokens = Infinity
  for (let b = 0; b + 1 < bounds.length; b++) {
    const row = ids.subarray(bounds[b], bounds[b + 1]).subarray(0, maxTokens)
    if (row.length === 0 || row.some((id) => id >= vocabularySize)) continue
    if (tokens + row.length > BATCH_TOKENS) {
      batches.push([])
      tokens = 0
    }
    tokens += row.length
    const typeStart = Math.min(typeStarts[b] as number, row.length)
    const unpooled = Math.min(unpooledTokens[b] as number, row.length)
    batches
      .at(-1)
      ?.push({ ids: row, typeStart, unpooledTokens: unpooled, adapter: NO_ADAPTER, wantsTokens: false })
  }
  return batches.map(joinRows)
}

/** The vector of each row. */
export async function vectorsOf(
  { graph, session }: Runnable,
  batches: readonly RaggedBatch[],
): Promise<Float32Array[]> {
  const vectors: Float32Array[] = []
  for (const batch of batches) {
    const { rows } = await runBatch(graph, session, batch)
    const { outputWidth, vectorWidth } = graph
    for (let from = 0; from < rows.length; from += outputWidth)
      vectors.push(rows.subarray(from, from + Math.min(vectorWidth, outputWidth)))
  }
  return vectors
}

/** Of each vector with its like. What is no number counts as unlike as can be. */
export function compare(found: readonly Float32Array[], expected: readonly Float32Array[]): Fidelity {
  let sum = 0
  let least = 1
  for (const [index, vector] of found.entries()) {
    const cosine = cosineOf(vector, expected[index] as Float32Array)
    sum += cosine
    least = Math.min(least, cosine)
  }
  return { meanCosine: sum / found.length, leastCosine: least, texts: found.length }
}

function cosineOf(a: Float32Array, b: Float32Array): number {
  let [product, left, right] = [0, 0, 0]
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i] as number, b[i] as number]
    product += x * y
    left += x * x
    right += y * y
  }
  if (left === 0 && right === 0) return 1
  const cosine = product / Math.sqrt(left * right)
  return Number.isFinite(cosine) ? cosine : -1
}
