import type { VectorPlan } from './vector-plan.ts'

/** Rows of the device as the vectors that were asked for, in one pass; rows that are that already are not copied. */
export function finishVectors(rows: Float32Array, plan: VectorPlan): Float32Array {
  const { rowWidth, start: from = 0, vectorWidth, dimensions, norm } = plan
  if (norm === 'kept' && dimensions === rowWidth) return rows
  const count = rows.length / rowWidth
  const vectors = new Float32Array(count * dimensions)
  for (let row = 0; row < count; row++) {
    const start = row * rowWidth + from
    const kept = rows.subarray(start, start + dimensions)
    if (norm === 'kept') {
      vectors.set(kept, row * dimensions)
      continue
    }
    const factor = norm === 'restored' ? (rows[start + vectorWidth] as number) : 1 / normOf(kept)
    for (let d = 0; d < dimensions; d++) vectors[row * dimensions + d] = (kept[d] as number) * factor
  }
  return vectors
}

/** max(‖x‖₂, 1e-12): sentence-transformers divides by no less. */
function normOf(vector: Float32Array): number {
  let sum = 0
  for (const value of vector) sum += value * value
  return Math.max(Math.sqrt(sum), 1e-12)
}

/** Splits [N, 2L] rows of a classifier into scores [N, L] and logits [N, L]. */
export function splitScores(
  rows: Float32Array,
  labelCount: number,
): { scores: Float32Array; logits: Float32Array } {
  const count = rows.length / (2 * labelCount)
  const scores = new Float32Array(count * labelCount)
  const logits = new Float32Array(count * labelCount)
  for (let row = 0; row < count; row++) {
    const start = row * 2 * labelCount
    scores.set(rows.subarray(start, start + labelCount), row * labelCount)
    logits.set(rows.subarray(start + labelCount, start + 2 * labelCount), row * labelCount)
  }
  return { scores, logits }
}
