/** What is added to attention scores on CUDA. */
import type { GraphBuilder } from '../builder.ts'
import type { FloatDtype, Value } from '../ir.ts'
import type { AttentionInputs } from '../kernels.ts'
import { windowBias } from '../layers/position-bias.ts'
import { sharedCast } from './cuda-parts.ts'
import type { Projected } from './cuda-projections.ts'

/**
 * What a score becomes that is not to be seen: far below any real one, so that its exponential is 0 in float32, and finite when
 * twice of it and a position's bias meet: −2 · 30 000 − 5 000 still is in half precision, where the lowest number would not be.
 */
const HIDDEN: Readonly<Record<FloatDtype, number>> = { f32: -1e30, bf16: -1e30, f16: -30_000 }

/**
 * CUDA's memory-efficient attention reads what is added to scores 16 bytes at a time, four such pieces of float32: it takes rows
 * of 4 · bytes of a number, and leaves others to a kernel that writes all scores out.
 */
const LENGTH_STEP: Readonly<Record<FloatDtype, number>> = { f32: 16, f16: 8, bf16: 8 }

/** Of position and window: [1, 1 or N, S, S]. Made in float32 once a batch, and rounded last. */
export function scoreBias(
  b: GraphBuilder,
  dtype: FloatDtype,
  { bias, window }: AttentionInputs,
  projected: Projected | undefined,
): Value | undefined {
  const band = window === undefined ? undefined : windowBias(b, window, HIDDEN[dtype])
  const own = bias && projected && bias(projected.query, projected.key)
  const sum = band && own ? sharedSum(b, own, band) : (own ?? band)
  return sum && rounded(b, dtype, sum)
}

/** Farther apart than any two tokens. */
const EVERYWHERE = 2 ** 31 - 1

/**
 * Of position and window, and the end of each row besides, or of what of it is seen: [B, 1 or N, S, S]. Needs no mask, which
 * the fast kernels do not take with a bias, and which some of them take for the end of the row's queries too.
 */
export function biasWithinRows(
  b: GraphBuilder,
  dtype: FloatDtype,
  { bias, window = EVERYWHERE, hidesUnseen }: AttentionInputs,
  projected: Projected,
): Value {
  const hidden = HIDDEN[dtype]
  const lastRole = hidesUnseen ? 'last_seen_positions' : 'last_positions'
  const ends = b.share(`row ends ${hidden} ${lastRole}`, () => {
    const steps = b.reshape(b.input('steps'), [1, 'S'])
    const last = b.reshape(b.input(lastRole), ['B', 1])
    const seen = b.node('LessOrEqual', [steps, last]) // [B, S]
    const values = [0, hidden].map((value) => b.constant(Float32Array.of(value), []))
    return b.reshape(b.node('Where', [seen, ...values]), ['B', 1, 1, 'S'])
  })
  const within = sharedSum(b, windowBias(b, window, hidden), ends)
  const own = bias && bias(projected.query, projected.key)
  return rounded(b, dtype, own === undefined ? within : sharedSum(b, own, within))
}

function rounded(b: GraphBuilder, dtype: FloatDtype, added: Value): Value {
  b.padLengths(LENGTH_STEP[dtype])
  return sharedCast(b, added, dtype)
}

function sharedSum(b: GraphBuilder, x: Value, y: Value): Value {
  return b.share(`${x.name} + ${y.name}`, () => b.node('Add', [x, y]))
}
