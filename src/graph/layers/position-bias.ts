/** What is added to attention scores because of where tokens stand: [1, 1 or N, S, S] float32, made once a batch. */
import type { GraphBuilder } from '../builder.ts'
import type { Value } from '../ir.ts'
import type { TensorTable } from '../tensor-table.ts'
import type { BiasPlan, BucketsPlan } from './encoder-plan.ts'

/** What position alone gives. */
type PositionBiasPlan = Exclude<BiasPlan, { kind: 'disentangled' }>

export function positionBias(
  b: GraphBuilder,
  plan: PositionBiasPlan,
  heads: number,
  tensors: TensorTable,
): Value {
  return plan.kind === 'alibi' ? alibi(b, plan.slopes) : relative(b, plan, heads, tensors)
}

/** 0 where |i − j| ≤ window, `hidden` elsewhere: [1, 1, S, S], or [1, 1, C, C] within pieces. */
export function windowBias(
  b: GraphBuilder,
  window: number,
  hidden: number,
  role: 'steps' | 'piece_steps' = 'steps',
): Value {
  return b.share(`window ${window} ${hidden} ${role}`, () => {
    const far = b.node('Abs', [distances(b, role)])
    const [length = 1] = b.input(role).shape
    const seen = b.node('LessOrEqual', [far, b.constant(Int32Array.of(window), [])])
    const values = [0, hidden].map((value) => b.constant(Float32Array.of(value), []))
    return b.reshape(b.node('Where', [seen, ...values]), [1, 1, length, length])
  })
}

/** j − i, query i down and key j across: [1, S, S]. */
function distances(b: GraphBuilder, role: 'steps' | 'piece_steps' = 'steps'): Value {
  return b.share(`distances of ${role}`, () => {
    const steps = b.input(role)
    const [length = 1] = steps.shape
    return b.node('Sub', [b.reshape(steps, [1, 1, length]), b.reshape(steps, [1, length, 1])])
  })
}

/** Press et al. 2022, in the symmetric form of encoders. */
function alibi(b: GraphBuilder, slopes: readonly number[]): Value {
  return b.share(`alibi ${slopes.join()}`, () => {
    const far = b.cast(b.node('Abs', [distances(b)]), 'f32')
    const factors = b.constant(
      Float32Array.from(slopes, (slope) => -slope),
      [1, slopes.length, 1, 1],
    )
    return b.node('Mul', [b.reshape(far, [1, 1, 'S', 'S']), factors])
  })
}

function relative(
  b: GraphBuilder,
  plan: PositionBiasPlan & { kind: 'relative' },
  heads: number,
  tensors: TensorTable,
): Value {
  const { table } = plan
  return b.share(`relative ${table.name}`, () => {
    const bucket = distanceBuckets(b, plan)
    const { values, scale } = tensors.table(table.name, table.rows, heads)
    const codes = b.cast(b.tensor(values), 'f32')
    const rows = scale === undefined ? codes : b.node('Mul', [codes, b.cast(b.tensor(scale), 'f32')])
    // [1, S, S, N] to [1, N, S, S]
    return b.node('Transpose', [b.gather(rows, bucket)], { perm: { ints: [0, 3, 1, 2] } })
  })
}

/** The bucket of each pair, query i down and key j across: [1, S, S] i32. */
export function distanceBuckets(b: GraphBuilder, { bucketOf, maxDistance }: BucketsPlan): Value {
  const buckets = Int32Array.from({ length: 2 * maxDistance + 1 }, (_, index) =>
    bucketOf(index - maxDistance),
  )
  return b.share(`buckets ${buckets.join()}`, () => {
    // CUDA clips 64-bit integers and has no kernel for smaller ones.
    const bound = (value: number) => b.constant(BigInt64Array.of(BigInt(value)), [])
    const near = b.node('Clip', [b.cast(distances(b), 'i64'), bound(-maxDistance), bound(maxDistance)])
    const index = b.node('Add', [near, bound(maxDistance)])
    return b.gather(b.constant(buckets, [buckets.length]), index)
  })
}
