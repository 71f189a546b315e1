/** A sequence classifier's scores, computed in the graph. */
import type { Activation } from '../../model/spec.ts'
import type { GraphBuilder } from '../builder.ts'
import type { Value } from '../ir.ts'
import { activate } from '../layers/activation.ts'
import type { HiddenActivation } from '../layers/activation.ts'
import type { LinearPlan, NormPlan } from '../layers/encoder-plan.ts'
import type { Workshop } from '../layers/encoder.ts'
import type { HeadOutputs } from './head-outputs.ts'
import { pool } from './pooling.ts'

/** logits = output(norm(activation(dense(pooled)))) */
export interface ClassifierPlan {
  /** What the classes are told from; `late`: every token gives logits of its own, which are averaged. */
  readonly pooling: 'cls' | 'mean' | 'lasttoken' | 'late'
  /** Tokens of this id are not taken for the last one. */
  readonly padId?: number | undefined
  /** H to H. */
  readonly dense?: LinearPlan & { readonly activation: HiddenActivation; readonly norm?: NormPlan }
  readonly output: LinearPlan
}

export interface ClassifierOptions {
  readonly plan: ClassifierPlan
  readonly labelCount: number
  readonly activation: Activation
}

/** Hidden states [T, H] to [B, 2 · labels]: scores, then the logits that they come from. */
export function buildClassifier(shop: Workshop, states: Value, options: ClassifierOptions): HeadOutputs {
  const { b, tensors, kernels } = shop
  const { plan, labelCount, activation } = options
  const H = states.shape[1] as number
  let x = b.cast(readFrom(shop, b.cast(states, 'f32'), plan), kernels.dtype)
  if (plan.dense !== undefined) {
    x = kernels.linear(b, x, tensors.linear(plan.dense, H, H), plan.dense.activation)
    if (plan.dense.norm !== undefined) x = kernels.norm(b, x, tensors.norm(plan.dense.norm, H))
  }
  const last = tensors.linear(plan.output, labelCount, H)
  const each = b.cast(kernels.linear(b, x, last, 'identity'), 'f32')
  const logits = plan.pooling === 'late' ? pool(shop, each, 'mean') : each
  return { ...scoresOf(b, logits, activation), padId: plan.padId }
}

/** Logits [B, labels] float32 to [B, 2 · labels]: scores, then the logits. */
export function scoresOf(b: GraphBuilder, logits: Value, activation: Activation): HeadOutputs {
  const output = b.concat([activate(b, logits, activation), logits], 1)
  return { output, vectorWidth: output.shape[1] as number, tokens: undefined }
}

/** [T, H] where every token gives logits, else [B, H]. */
function readFrom(shop: Workshop, states: Value, { pooling, padId }: ClassifierPlan): Value {
  if (pooling === 'late') return states
  if (pooling === 'lasttoken' && padId !== undefined) {
    return shop.b.gather(states, shop.b.input('last_counted_rows'))
  }
  return pool(shop, states, pooling)
}
