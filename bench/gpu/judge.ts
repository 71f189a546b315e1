/** Which findings are failures. */
import type { GoldenFinding, Row } from './rows.ts'

interface Mark {
  readonly maxDiff: number
  readonly minCosine: number
  /** Of scores, which have no cosine. */
  readonly scoreDiff: number
}

/**
 * How near to the numbers of the Python libraries, which are fp32. fp32 has the tolerance of the tests; the scores of a
 * reranker lie between 0 and 1, and are held to a few units in the last place of the dtype, over the depth of a tiny model.
 */
export const MARKS: Readonly<Record<string, Mark>> = {
  fp32: { maxDiff: 2e-5, minCosine: 0.99999, scoreDiff: 2e-5 },
  fp16: { maxDiff: Infinity, minCosine: 0.9999, scoreDiff: 5e-3 },
  bf16: { maxDiff: Infinity, minCosine: 0.999, scoreDiff: 4e-2 },
}

/** A peer computes in the same dtype, and rounds elsewhere: both are that far from the truth. */
const AGREEMENT: Readonly<Record<string, number>> = { fp32: 0.99999, fp16: 0.999, bf16: 0.99 }

/** What is wrong with a row; undefined where nothing is. */
export function judge(row: Row): string | undefined {
  if (row.kind === 'golden') return judgeGolden(row)
  if (row.kind === 'problem') return isExcused(row) ? undefined : `${row.outcome}: ${row.reason}`
  if (row.kind === 'agreement' && !(row.minCosine >= (AGREEMENT[row.dtype] ?? 1))) {
    return `${row.model}: cosine ${row.minCosine.toFixed(6)} to ${row.peer}, wanted ${AGREEMENT[row.dtype]}`
  }
  return undefined
}

/** What a peer or an experiment does is its own affair; it is shown all the same. */
function isExcused({ task, outcome }: Extract<Row, { kind: 'problem' }>): boolean {
  return outcome === 'skipped' || /^(?:peer|variant) /.test(task)
}

/** By the dtype that it ran in: what fell back to a more exact one must be as exact. */
function judgeGolden({ fixture, dtype, maxDiff, minCosine }: GoldenFinding): string | undefined {
  const mark = MARKS[dtype]
  if (mark === undefined) return `${fixture}: ran in ${dtype}, which has no mark`
  const diff = minCosine === undefined ? mark.scoreDiff : mark.maxDiff
  if (!(maxDiff <= diff)) return `${fixture}: off by ${maxDiff.toExponential(1)}, at most ${diff} in ${dtype}`
  if (minCosine !== undefined && !(minCosine >= mark.minCosine)) {
    return `${fixture}: cosine ${minCosine.toFixed(6)}, at least ${mark.minCosine} in ${dtype}`
  }
  return undefined
}
