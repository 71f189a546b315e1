/** A masked language model's logits, pooled over the tokens of a row: a weight for each token of the vocabulary. */
import type { SparseHead } from '../../model/spec.ts'
import type { GraphBuilder } from '../builder.ts'
import type { Value } from '../ir.ts'
import type { HiddenActivation } from '../layers/activation.ts'
import type { EncoderPlan, LinearPlan, NormPlan } from '../layers/encoder-plan.ts'
import type { Workshop } from '../layers/encoder.ts'
import type { Linear } from '../tensor-table.ts'
import { rowsOf, vectorPart } from '../matrix.ts'
import type { HeadOutputs } from './head-outputs.ts'

/** logits = decoder(norm(activation(dense(x)))) */
export interface LanguageHeadPlan {
  /** H to H. */
  readonly dense: LinearPlan & { readonly activation: HiddenActivation }
  readonly norm: NormPlan
  /** Name, without the body's prefix, of a matrix [V, H]; the word embeddings are it where a checkpoint has none. */
  readonly decoder: string
  /** Whole names that its bias [V] may have; none: it has no bias. */
  readonly biases: readonly string[]
}

/**
 * Logits are made for so many words at a time: those of all words would be 120 MB for a thousand tokens, and a gigabyte of a
 * multilingual model.
 */
const BLOCK = 4096

export interface SparseOptions {
  readonly plan: LanguageHeadPlan
  readonly body: EncoderPlan
  readonly head: SparseHead
}

/** Hidden states [T, H] to weights [B, V]. */
export function buildSparse(shop: Workshop, states: Value, { plan, body, head }: SparseOptions): HeadOutputs {
  const { b, kernels, tensors } = shop
  const { hiddenSize: H, vocabularySize: V } = body
  const dense = kernels.linear(
    b,
    b.cast(states, kernels.dtype),
    tensors.linear(plan.dense, H, H),
    plan.dense.activation,
  )
  const x = kernels.norm(b, dense, tensors.norm(plan.norm, H))
  const decoder = readDecoder(shop, plan, body)
  const blocks: Value[] = []
  for (let from = 0; from < V; from += BLOCK) {
    const count = Math.min(BLOCK, V - from)
    const weight = rowsOf(decoder.weight, from, count)
    const bias = decoder.bias && vectorPart(decoder.bias, from, count)
    const logits = b.cast(kernels.linear(b, x, { weight, bias }, 'identity'), 'f32')
    blocks.push(head.pooling === 'max' ? poolGreatest(shop, logits, head) : poolSum(b, logits, head))
  }
  return { output: b.concat(blocks, 1), vectorWidth: V, tokens: undefined }
}

function readDecoder(
  { tensors }: Workshop,
  { decoder, biases }: LanguageHeadPlan,
  body: EncoderPlan,
): Linear {
  const { hiddenSize: H, vocabularySize: V, embeddings } = body
  const weight = tensors.hasRoot(`${decoder}.weight`)
    ? tensors.linear({ name: decoder, bias: false, root: true }, V, H).weight
    : tensors.table(embeddings.words, V, H)
  const [first] = biases
  const name = biases.find((candidate) => tensors.hasRoot(candidate)) ?? first
  return { weight, bias: name === undefined ? undefined : tensors.rootTensor(name, [V]) }
}

/** The logarithm grows with its logit, so that the greatest is taken first, of [T, words]. */
function poolGreatest({ b, kernels }: Workshop, logits: Value, head: SparseHead): Value {
  return weigh(b, kernels.greatest(b, b.gather(logits, b.input('pooled_rows'))), head)
}

/** An average by a matrix product, times the number of tokens. */
function poolSum(b: GraphBuilder, logits: Value, head: SparseHead): Value {
  const mean = b.node('MatMul', [b.input('mean_weights'), weigh(b, logits, head)])
  return b.node('Mul', [mean, tokenCounts(b)])
}

/** [B, 1] */
function tokenCounts(b: GraphBuilder): Value {
  return b.share('token counts', () => {
    const one = b.constant(Int32Array.of(1), [])
    const counts = b.cast(b.node('Add', [b.input('last_positions'), one]), 'f32')
    return b.reshape(counts, ['B', 1])
  })
}

/** log(1 + max(x, 0)), once or twice */
function weigh(b: GraphBuilder, x: Value, { logarithms }: SparseHead): Value {
  const one = b.share('one', () => b.constant(Float32Array.of(1), []))
  let y = b.node('Relu', [x])
  for (let times = 0; times < logarithms; times++) y = b.node('Log', [b.node('Add', [y, one])])
  return y
}
