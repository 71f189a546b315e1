import type { Activation } from '../../model/spec.ts'
import type { GraphBuilder } from '../builder.ts'
import type { Value } from '../ir.ts'
import type { HiddenActivation } from '../layers/activation.ts'
import { activate } from '../layers/activation.ts'
import type { Kernels } from '../kernels.ts'
import type { TensorTable } from '../tensor-table.ts'
import type { HeadOutputs } from './head-outputs.ts'

/** logits = output(activation(dense(first token))) */
export interface ClassifierPlan {
  /** `root`: the name stands without the body's prefix. */
  readonly dense: { readonly name: string; readonly root: boolean }
  readonly activation: HiddenActivation
  /** Always without the body's prefix. */
  readonly output: string
}

export interface ClassifierOptions {
  readonly plan: ClassifierPlan
  readonly tensors: TensorTable
  readonly kernels: Kernels
  readonly labelCount: number
  readonly activation: Activation
}

/** Hidden states [T, H] to [B, 2 · labels]: scores, then the logits that they come from. */
export function buildClassifier(b: GraphBuilder, states: Value, options: ClassifierOptions): HeadOutputs {
  const { plan, tensors, kernels, labelCount, activation } = options
  const H = states.shape[1] as number
  const first = b.gather(states, b.input('first_rows'))
  const dense = tensors.linear(plan.dense.name, H, H, { root: plan.dense.root })
  const pooled = kernels.linear(b, first, dense, plan.activation)
  const last = tensors.linear(plan.output, labelCount, H, { root: true })
  const logits = b.cast(kernels.linear(b, pooled, last, 'identity'), 'f32')
  const output = b.concat([activate(b, logits, activation), logits], 1)
  return { output, vectorWidth: 2 * labelCount, tokens: undefined }
}
