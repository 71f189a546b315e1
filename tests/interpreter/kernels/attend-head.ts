/** Rows of D numbers within a larger array: row i begins at first + i · step. */
export interface Rows {
  readonly data: Float64Array
  readonly first: number
  readonly step: number
}

/** Attention of one head within one row of the batch. */
export interface HeadAttention {
  readonly query: Rows
  readonly key: Rows
  readonly value: Rows
  /** Zeros, which the results are added to. */
  readonly out: Rows
  readonly queryCount: number
  /** Keys past it are not seen at all. */
  readonly keyCount: number
  readonly D: number
  readonly scale: number
  /** Keys after the query are not seen. */
  readonly causal: boolean
  /** So many keys up to the query's own are seen, of a causal head. */
  readonly window?: number
  /** Added to the scores: query i down, key j across. */
  readonly bias: Rows | undefined
  /** What is added to the scores of keys from an index on. */
  readonly hidden: { readonly from: number; readonly by: number } | undefined
  readonly round: (probabilities: Float64Array) => void
}

/** out = softmax(scale · query · keyᵀ + bias) · value */
export function attendHead(head: HeadAttention): void {
  const { out, queryCount, D, round } = head
  for (let i = 0; i < queryCount; i++) {
    const scores = scoresOf(head, i)
    const largest = scores.reduce((most, score) => Math.max(most, score), -Infinity)
    for (let j = 0; j < scores.length; j++) scores[j] = Math.exp((scores[j] as number) - largest)
    const sum = scores.reduce((total, share) => total + share, 0)
    round(scores)
    const to = out.first + i * out.step
    addValues(head, scores, to)
    for (let d = 0; d < D; d++) out.data[to + d] = (out.data[to + d] as number) / sum
  }
}

function scoresOf(head: HeadAttention, i: number): Float64Array {
  const { query, key, keyCount, D, scale, causal, window = Infinity, bias, hidden } = head
  const count = causal ? Math.min(i + 1, keyCount) : keyCount
  const scores = new Float64Array(count)
  const from = query.first + i * query.step
  for (let j = 0; j < count; j++) {
    const other = key.first + j * key.step
    let sum = 0
    for (let d = 0; d < D; d++) sum += (query.data[from + d] as number) * (key.data[other + d] as number)
    scores[j] = sum * scale
  }
  if (bias !== undefined) {
    const row = bias.first + i * bias.step
    for (let j = 0; j < count; j++) scores[j] = (scores[j] as number) + (bias.data[row + j] as number)
  }
  if (hidden !== undefined)
    for (let j = hidden.from; j < count; j++) scores[j] = (scores[j] as number) + hidden.by
  scores.fill(-Infinity, 0, Math.max(0, i + 1 - window))
  return scores
}

function addValues({ value, out, D }: HeadAttention, shares: Float64Array, to: number): void {
  for (let j = 0; j < shares.length; j++) {
    const from = value.first + j * value.step
    const share = shares[j] as number
    for (let d = 0; d < D; d++)
      out.data[to + d] = (out.data[to + d] as number) + share * (value.data[from + d] as number)
  }
}
