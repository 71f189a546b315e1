/**
 * CPU, float32. Measured choices: one Gemm for query, key and value; GroupQueryAttention is the fastest bidirectional
 * attention of the CPU provider and skips what lies past a row's end; Add + LayerNormalization, because the fused
 * SkipLayerNormalization is scalar code there. Only attention sees padding.
 */
import { ServerError } from '../../errors.ts'
import type { TensorRef } from '../../model/spec.ts'
import type { GraphBuilder } from '../builder.ts'
import type { Value } from '../ir.ts'
import { activate } from '../layers/activation.ts'
import type { AttentionInputs, Kernels } from '../kernels.ts'
import type { Linear, Matrix, Norm } from '../tensor-table.ts'

export const cpuF32: Kernels = {
  // Gathered in the dtype it is stored in: an int8 or half-precision table never becomes a float32 copy.
  lookup(b, table, indices) {
    const rows = b.cast(b.gather(b.tensor(table.values), indices), 'f32')
    if (table.scale === undefined) return rows
    return b.node('Mul', [rows, b.cast(b.gather(b.tensor(table.scale), indices), 'f32')])
  },
  norm,
  linear(b, x, { weight, bias }, activation) {
    return activate(b, gemm(b, x, matrix(b, weight), bias && vector(b, bias)), activation)
  },
  linearAddNorm(b, x, { weight, bias }, residual, normalization) {
    const projected = gemm(b, x, matrix(b, weight), bias && vector(b, bias))
    return norm(b, b.node('Add', [residual, projected]), normalization)
  },
  attention,
}

function norm(b: GraphBuilder, x: Value, { weight, bias, epsilon }: Norm): Value {
  const attributes = { axis: { int: -1 }, epsilon: { float: epsilon } }
  return b.node('LayerNormalization', [x, vector(b, weight), vector(b, bias)], attributes)
}

/** GroupQueryAttention wants heads of a multiple of this many numbers. */
const GROUPED_HEAD_STEP = 8

function attention(b: GraphBuilder, x: Value, inputs: AttentionInputs): Value {
  const headWidth = (inputs.query.weight.values.shape[0] as number) / inputs.heads
  const context =
    headWidth % GROUPED_HEAD_STEP === 0 ? groupedAttention(b, x, inputs) : plainAttention(b, x, inputs)
  return b.gather(b.reshape(context, ['B*S', context.shape[2] as number]), b.input('packed_rows'))
}

function groupedAttention(b: GraphBuilder, x: Value, { query, key, value, heads }: AttentionInputs): Value {
  const parts = [query, key, value]
  const joined = gemm(b, x, joinWeights(b, parts), joinBiases(b, parts))
  const padded = b.gather(joined, b.input('padded_rows')) // [B, S, 3·N·D]
  return b.node(
    'GroupQueryAttention',
    [padded, undefined, undefined, undefined, undefined, b.input('last_positions'), b.input('max_length')],
    { num_heads: { int: heads }, kv_num_heads: { int: heads }, causal: { int: 0 } },
  )
}

/** For the few models with odd heads (rubert-tiny2: 26 numbers): about half as fast. */
function plainAttention(b: GraphBuilder, x: Value, { query, key, value, heads }: AttentionInputs): Value {
  const [q, k, v] = [query, key, value].map((part) =>
    b.gather(cpuF32.linear(b, x, part, 'identity'), b.input('padded_rows')),
  )
  const lengths = b.share('lengths', () =>
    b.node('Add', [b.input('last_positions'), b.constant(Int32Array.of(1), [1])]),
  )
  return b.node('MultiHeadAttention', [q, k, v, undefined, lengths], { num_heads: { int: heads } })
}

// ONNX Runtime computes these joins, and every Cast and Mul of a weight, once when it loads the graph.
function joinWeights(b: GraphBuilder, parts: readonly Linear[]): Value {
  return b.concat(
    parts.map((part) => matrix(b, part.weight)),
    0,
  )
}

function joinBiases(b: GraphBuilder, parts: readonly Linear[]): Value | undefined {
  const biases = parts.flatMap((part) => (part.bias === undefined ? [] : [vector(b, part.bias)]))
  if (biases.length === 0) return undefined
  if (biases.length < parts.length)
    throw new ServerError('graph_invalid', 'only some of query, key and value have a bias')
  return b.concat(biases, 0)
}

function gemm(b: GraphBuilder, x: Value, weight: Value, bias: Value | undefined): Value {
  return b.node('Gemm', [x, weight, bias], { transB: { int: 1 } })
}

function matrix(b: GraphBuilder, { values, scale }: Matrix): Value {
  const floats = b.cast(b.tensor(values), 'f32')
  return scale === undefined ? floats : b.node('Mul', [floats, b.cast(b.tensor(scale), 'f32')])
}

function vector(b: GraphBuilder, ref: TensorRef): Value {
  return b.cast(b.tensor(ref), 'f32')
}
