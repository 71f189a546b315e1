/**
 * A row's tokens made into one vector by a learned probe that looks at all of them (SigLIP): h = attention(probe, tokens), then
 * h + down(activation(up(norm(h)))). Only tokens of the same row are seen. In float32, but for the projections of tokens.
 */
import type { Value } from '../ir.ts'
import type { Linear } from '../tensor-table.ts'
import { slice } from '../matrix.ts'
import type { HiddenActivation } from './activation.ts'
import type { LinearPlan, NormPlan } from './encoder-plan.ts'
import type { Workshop } from './encoder.ts'

export interface AttentionPoolingPlan {
  /** A tensor [1, 1, H]. */
  readonly probe: string
  /** Whole names of tensors [3H, H] and [3H]: query, key and value one behind the other, as torch's own layer has them. */
  readonly weight: string
  readonly bias: string
  readonly output: LinearPlan
  readonly norm: NormPlan
  readonly up: LinearPlan
  readonly down: LinearPlan
  /** N */
  readonly heads: number
  /** I */
  readonly width: number
  readonly activation: HiddenActivation
}

/** The lowest float32: what the score of a place becomes that holds no token. */
const HIDDEN = -3.402_823_466_385_288_6e38

/** [T, H] to [B, H] float32. */
export function poolByAttention(shop: Workshop, states: Value, plan: AttentionPoolingPlan): Value {
  const { b, tensors, kernels, headKernels } = shop
  const H = states.shape[1] as number
  const [query, key, value] = projectionsOf(shop, plan, H)
  const probe = b.reshape(b.cast(b.tensor(tensors.tensor(plan.probe, [1, 1, H])), 'f32'), [1, H])
  const asked = headKernels.linear(b, probe, query, 'identity')
  const [keys, values] = [key, value].map((linear) =>
    b.cast(kernels.linear(b, states, linear, 'identity'), 'f32'),
  ) as [Value, Value]
  const context = lookAt(shop, { asked, keys, values }, plan.heads)
  const pooled = headKernels.linear(b, context, tensors.linear(plan.output, H, H), 'identity')
  const normed = headKernels.norm(b, pooled, tensors.norm(plan.norm, H))
  const raised = headKernels.linear(b, normed, tensors.linear(plan.up, plan.width, H), plan.activation)
  const lowered = headKernels.linear(b, raised, tensors.linear(plan.down, H, plan.width), 'identity')
  return b.node('Add', [pooled, lowered])
}

function projectionsOf(
  { tensors }: Workshop,
  plan: AttentionPoolingPlan,
  H: number,
): [Linear, Linear, Linear] {
  const weight = tensors.tensor(plan.weight, [3 * H, H])
  const bias = tensors.tensor(plan.bias, [3 * H])
  const part = (index: number): Linear => ({
    weight: { values: slice(weight, index * H, H), scale: undefined },
    bias: slice(bias, index * H, H),
  })
  return [part(0), part(1), part(2)]
}

interface Looked {
  /** [1, H] */
  readonly asked: Value
  /** [T, H] */
  readonly keys: Value
  readonly values: Value
}

/** softmax(asked · keysᵀ / √D) · values of each row and head: [B, H]. */
function lookAt({ b }: Workshop, { asked, keys, values }: Looked, heads: number): Value {
  const H = asked.shape[1] as number
  const headWidth = H / heads
  const scale = b.constant(Float32Array.of(1 / Math.sqrt(headWidth)), [])
  const products = b.node('Mul', [keys, b.node('Mul', [asked, scale])])
  const scores = b.node('MatMul', [products, headSums(heads, headWidth)]) // [T, N]
  const rows = b.input('padded_rows')
  const padded = b.node('Transpose', [b.gather(scores, rows)], { perm: { ints: [0, 2, 1] } }) // [B, N, S]
  const steps = b.reshape(b.input('steps'), [1, 1, 'S'])
  const isToken = b.node('LessOrEqual', [steps, b.reshape(b.input('last_positions'), ['B', 1, 1])])
  const seen = b.node('Where', [isToken, padded, b.constant(Float32Array.of(HIDDEN), [])])
  const shares = b.node('Softmax', [seen], { axis: { int: -1 } })
  const byHead = b.node('Transpose', [b.reshape(b.gather(values, rows), ['B', 'S', heads, headWidth])], {
    perm: { ints: [0, 2, 1, 3] },
  })
  const context = b.node('MatMul', [b.reshape(shares, ['B', heads, 1, 'S']), byHead]) // [B, N, 1, D]
  return b.reshape(context, ['B', H])

  /** [H, N]: sums up the numbers of each head. */
  function headSums(count: number, width: number): Value {
    const sums = new Float32Array(count * width * count)
    for (let j = 0; j < count * width; j++) sums[j * count + Math.floor(j / width)] = 1
    return b.constant(sums, [count * width, count])
  }
}
