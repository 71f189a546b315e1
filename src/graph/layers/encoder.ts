/** A family's plan made into a graph: token ids in, hidden states [T, H] out. */
import { ServerError } from '../../errors.ts'
import type { GraphBuilder } from '../builder.ts'
import type { Value } from '../ir.ts'
import type { Kernels } from '../kernels.ts'
import type { TensorTable } from '../tensor-table.ts'
import type { HiddenActivation } from './activation.ts'

/** An encoder as data: sizes, and the names that a family's checkpoints give to each part. */
export interface EncoderPlan {
  readonly hiddenSize: number
  readonly intermediateSize: number
  readonly layerCount: number
  readonly headCount: number
  readonly activation: HiddenActivation
  readonly normEpsilon: number
  readonly vocabularySize: number
  /** Tokens that a row may have. */
  readonly maxTokens: number
  readonly embeddings: {
    readonly words: string
    readonly positions: { readonly table: string; readonly rows: number }
    readonly types: { readonly table: string; readonly rows: number }
    readonly norm: string
  }
  readonly layer: (index: number) => LayerNames
}

/** Post-norm block: x = norm(x + attention(x)), then x = norm(x + feedForward(x)). */
export interface LayerNames {
  readonly query: string
  readonly key: string
  readonly value: string
  readonly attentionOutput: string
  readonly attentionNorm: string
  readonly up: string
  readonly down: string
  readonly outputNorm: string
}

export function buildEncoder(
  b: GraphBuilder,
  plan: EncoderPlan,
  tensors: TensorTable,
  kernels: Kernels,
): Value {
  if (plan.hiddenSize % plan.headCount !== 0) {
    throw new ServerError(
      'model_invalid',
      `${plan.hiddenSize} hidden numbers do not split into ${plan.headCount} heads`,
    )
  }
  let x = buildEmbeddings(b, plan, tensors, kernels)
  for (let index = 0; index < plan.layerCount; index++)
    x = buildLayer(b, x, plan, plan.layer(index), tensors, kernels)
  return x
}

function buildEmbeddings(b: GraphBuilder, plan: EncoderPlan, tensors: TensorTable, kernels: Kernels): Value {
  const { words, positions, types, norm } = plan.embeddings
  const H = plan.hiddenSize
  const word = kernels.lookup(b, tensors.table(words, plan.vocabularySize, H), b.input('ids'))
  const type = kernels.lookup(b, tensors.table(types.table, types.rows, H), b.input('types'))
  const position = kernels.lookup(b, tensors.table(positions.table, positions.rows, H), b.input('positions'))
  const sum = b.node('Add', [b.node('Add', [word, type]), position])
  return kernels.norm(b, sum, tensors.norm(norm, H, plan.normEpsilon))
}

function buildLayer(
  b: GraphBuilder,
  x: Value,
  plan: EncoderPlan,
  names: LayerNames,
  tensors: TensorTable,
  kernels: Kernels,
): Value {
  const H = plan.hiddenSize
  const context = kernels.attention(b, x, {
    query: tensors.linear(names.query, H, H),
    key: tensors.linear(names.key, H, H),
    value: tensors.linear(names.value, H, H),
    heads: plan.headCount,
  })
  const attentionOutput = tensors.linear(names.attentionOutput, H, H)
  const attentionNorm = tensors.norm(names.attentionNorm, H, plan.normEpsilon)
  const attended = kernels.linearAddNorm(b, context, attentionOutput, x, attentionNorm)
  const raised = kernels.linear(
    b,
    attended,
    tensors.linear(names.up, plan.intermediateSize, H),
    plan.activation,
  )
  const down = tensors.linear(names.down, H, plan.intermediateSize)
  return kernels.linearAddNorm(b, raised, down, attended, tensors.norm(names.outputNorm, H, plan.normEpsilon))
}
