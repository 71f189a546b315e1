/**
 * Which operators the CUDA provider of ONNX Runtime 1.30 has kernels for, and in which dtypes: read from its
 * docs/OperatorKernels.md (what the registered kernels say), and from the kernels' sources where that list is older. Only
 * what our graphs use. A node without a kernel would be computed on the CPU, with copies there and back in every batch.
 */
import type { Dtype, Graph, GraphNode, Value } from '../../../src/graph/ir.ts'

const FLOATS = ['f32', 'f16', 'bf16'] as const
const HALVES = ['f16', 'bf16'] as const
const NARROW = ['f32', 'f16'] as const
const ALL = ['f32', 'f16', 'bf16', 'i8', 'i32', 'i64', 'bool'] as const
const NUMBERS = ['f32', 'f16', 'bf16', 'i32', 'i64'] as const

/** Dtypes of the operand that the kernels are registered by: the first, unless `TYPED_BY` says another. */
export const CUDA_KERNELS: Readonly<Record<string, readonly Dtype[]>> = {
  Abs: NUMBERS,
  Add: NUMBERS,
  BiasGelu: FLOATS,
  Cast: ALL,
  // No i32.
  Clip: ['f32', 'f16', 'i64'],
  Concat: ALL,
  Cos: NARROW,
  Div: NUMBERS,
  Elu: NARROW,
  // No bf16.
  Equal: ['f32', 'f16', 'i32', 'i64'],
  Expand: ALL,
  FastGelu: FLOATS,
  FusedMatMul: FLOATS,
  Gather: ALL,
  GatherElements: ALL,
  Gelu: FLOATS,
  Gemm: FLOATS,
  // No f32.
  GroupQueryAttention: HALVES,
  LayerNormalization: FLOATS,
  LeakyRelu: NARROW,
  LessOrEqual: ['f32', 'f16', 'i32', 'i64'],
  Log: NARROW,
  MatMul: FLOATS,
  Mul: NUMBERS,
  MultiHeadAttention: FLOATS,
  Neg: NUMBERS,
  // No bf16.
  PackedMultiHeadAttention: NARROW,
  QuickGelu: FLOATS,
  Relu: FLOATS,
  Reshape: ALL,
  RotaryEmbedding: FLOATS,
  Selu: NARROW,
  Sigmoid: FLOATS,
  SimplifiedLayerNormalization: FLOATS,
  Sin: NARROW,
  SkipLayerNormalization: FLOATS,
  SkipSimplifiedLayerNormalization: FLOATS,
  Softmax: FLOATS,
  Softplus: NARROW,
  Split: ALL,
  Sqrt: FLOATS,
  Sub: NUMBERS,
  Tanh: FLOATS,
  TopK: ['f32', 'f16', 'i32', 'i64'],
  Transpose: ALL,
  Where: NUMBERS,
}

/** Listed, but not to be used: their kernels ask for cuDNN, which an image need not have. */
export const CUDNN_ONLY: readonly string[] = ['ReduceMax', 'ReduceL2']

const TYPED_BY: Readonly<Record<string, number>> = { Where: 1 }

/** Nodes of a graph that CUDA would leave to the CPU, each as words. */
export function leftToCpu({ inputs, initializers, nodes }: Graph): string[] {
  const values = new Map<string, Value>()
  for (const value of [
    ...inputs,
    ...initializers.map((initializer) => initializer.value),
    ...nodes.flatMap(({ outputs }) => outputs),
  ])
    values.set(value.name, value)
  const constants = new Set(initializers.map(({ value }) => value.name))
  return nodes.flatMap((node) => {
    // ONNX Runtime computes it once, when it loads the graph.
    if (node.inputs.every((name) => constants.has(name))) {
      for (const { name } of node.outputs) constants.add(name)
      return []
    }
    const dtype = values.get(node.inputs[TYPED_BY[node.op] ?? 0] ?? '')?.dtype
    const isKnown = dtype !== undefined && CUDA_KERNELS[node.op]?.includes(dtype)
    return isKnown ? [] : [describeNode(node, dtype)]
  })
}

function describeNode({ op, outputs }: GraphNode, dtype: Dtype | undefined): string {
  return `${op} of ${dtype} (${outputs[0]?.name})`
}
