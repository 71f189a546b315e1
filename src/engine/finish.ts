/** Keeps the first `dimensions` numbers of each vector; `renormalize` makes them unit length again. */
export function cutVectors(
  vectors: Float32Array,
  width: number,
  dimensions: number,
  renormalize: boolean,
): Float32Array {
  if (dimensions === width) return vectors
  const count = vectors.length / width
  const cut = new Float32Array(count * dimensions)
  for (let row = 0; row < count; row++) {
    const kept = vectors.subarray(row * width, row * width + dimensions)
    cut.set(renormalize ? unitLength(kept) : kept, row * dimensions)
  }
  return cut
}

/** x / max(‖x‖₂, 1e-12), as sentence-transformers normalizes. */
function unitLength(vector: Float32Array): Float32Array {
  let sum = 0
  for (const value of vector) sum += value * value
  const norm = Math.max(Math.sqrt(sum), 1e-12)
  return vector.map((value) => value / norm)
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
