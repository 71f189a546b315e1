/** sentence-transformers' module pipeline after the Transformer, in float32 and inside the graph. */
import { ServerError } from '../../errors.ts'
import type { DenseStep, EmbeddingStep, PoolingMode } from '../../model/spec.ts'
import type { GraphBuilder } from '../builder.ts'
import type { InputRole } from '../contract.ts'
import type { Value } from '../ir.ts'
import type { HeadOutputs } from './head-outputs.ts'
import { activate } from '../layers/activation.ts'

/**
 * Hidden states [T, H] to one vector a row; where the last step normalizes, the length that it divided by stands behind
 * the vector. Throws `model_invalid` where two steps do not fit.
 */
export function buildEmbedding(b: GraphBuilder, states: Value, steps: readonly EmbeddingStep[]): HeadOutputs {
  const tokens = b.cast(states, 'f32')
  let vectors: Value | undefined
  let norms: Value | undefined
  for (const [index, step] of steps.entries()) {
    if (step.kind === 'pooling') {
      vectors = b.concat(
        step.modes.map((mode) => pool(b, tokens, mode)),
        1,
      )
    } else if (vectors === undefined) {
      throw new ServerError('model_invalid', `a ${step.kind} module stands before Pooling`)
    } else if (step.kind === 'dense') {
      vectors = dense(b, vectors, step)
    } else {
      if (index === steps.length - 1) norms = normOf(b, vectors)
      vectors = normalize(b, vectors)
    }
  }
  if (vectors === undefined) throw new ServerError('model_invalid', 'the module pipeline has no Pooling')
  const output = norms === undefined ? vectors : b.concat([vectors, norms], 1)
  return { output, vectorWidth: vectors.shape[1] as number, tokens }
}

/** An average is a matrix product with weights that the runtime lays out: small, deterministic, free of padding. */
const AVERAGES: Partial<Record<PoolingMode, InputRole>> = {
  mean: 'mean_weights',
  mean_sqrt_len_tokens: 'mean_sqrt_weights',
  weightedmean: 'position_weights',
}

function pool(b: GraphBuilder, states: Value, mode: PoolingMode): Value {
  if (mode === 'cls') return b.gather(states, b.input('first_rows'))
  if (mode === 'lasttoken') return b.gather(states, b.input('last_rows'))
  if (mode === 'max') {
    const rows = b.gather(states, b.input('pooled_rows'))
    return b.node('ReduceMax', [rows, axisOne(b)], { keepdims: { int: 0 } })
  }
  return b.node('MatMul', [b.input(AVERAGES[mode] as InputRole), states])
}

function dense(b: GraphBuilder, vectors: Value, step: DenseStep): Value {
  const width = vectors.shape[1]
  if (step.weight.shape[1] !== width) {
    throw new ServerError(
      'model_invalid',
      `a Dense module takes ${step.weight.shape[1]} numbers; it is given ${width}`,
    )
  }
  const weight = b.cast(b.tensor(step.weight), 'f32')
  const bias = step.bias && b.cast(b.tensor(step.bias), 'f32')
  return activate(b, b.node('Gemm', [vectors, weight, bias], { transB: { int: 1 } }), step.activation)
}

/** With it a client can have the vector as it was before normalization. [B, 1] */
function normOf(b: GraphBuilder, vectors: Value): Value {
  return b.node('ReduceL2', [vectors, axisOne(b)], { keepdims: { int: 1 } })
}

function axisOne(b: GraphBuilder): Value {
  return b.share('axis 1', () => b.constant(BigInt64Array.of(1n), [1]))
}

/** A zero vector stays zero, as with the reference, which divides by no less than 1e-12. */
function normalize(b: GraphBuilder, vectors: Value): Value {
  return b.node('LpNormalization', [vectors], { axis: { int: -1 }, p: { int: 2 } })
}
