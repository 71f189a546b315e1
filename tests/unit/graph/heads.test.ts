import { describe, expect, test } from 'vitest'
import { GraphBuilder } from '../../../src/graph/builder.ts'
import { checkGraph } from '../../../src/graph/check.ts'
import { buildEmbedding, buildEmbeddingHead } from '../../../src/graph/heads/embedding.ts'
import type { HiddenActivation } from '../../../src/graph/layers/activation.ts'
import { ACTIVATION_NAMES, activate } from '../../../src/graph/layers/activation.ts'
import { TARGETS } from '../../../src/graph/target.ts'
import type {
  Activation,
  DenseStep,
  EmbeddingStep,
  PoolingMode,
  TensorDtype,
} from '../../../src/model/spec.ts'
import { expectRefusal } from '../model/expect-refusal.ts'
import { fileTensor, runGraph } from './run-graph.ts'
import { ref } from './tiny-bert.ts'

const NORMALIZE: EmbeddingStep = { kind: 'normalize' }

function pooling(...modes: readonly PoolingMode[]): EmbeddingStep {
  return { kind: 'pooling', modes, includePrompt: true }
}

function dense(out: number, inputs: number, activation: Activation = 'identity'): EmbeddingStep {
  return { kind: 'dense', weight: ref([out, inputs]), bias: ref([out]), activation }
}

/** The graph after hidden states [T, 4], and what it asks for besides the ids that made those. */
function embed(steps: readonly EmbeddingStep[], dtype: TensorDtype = 'F32') {
  const b = new GraphBuilder()
  const states = b.gather(b.tensor(ref([50, 4], dtype)), b.input('ids'))
  const { output, vectorWidth, tokens } = buildEmbedding(
    { b, kernels: TARGETS['cpu-f32'].kernels },
    states,
    steps,
  )
  const graph = b.finish({ output })
  checkGraph(graph)
  const ops = graph.nodes.slice(1).map(({ op }) => op)
  return { output, vectorWidth, states, tokens, roles: b.roles.slice(1), ops }
}

test.each([
  ['cls', 'first_rows', 'Gather'],
  ['lasttoken', 'last_rows', 'Gather'],
  ['mean', 'mean_weights', 'MatMul'],
  ['mean_sqrt_len_tokens', 'mean_sqrt_weights', 'MatMul'],
  ['weightedmean', 'position_weights', 'MatMul'],
] as const)('%s pooling asks for %s', (mode, role, op) => {
  const { output, roles, ops } = embed([pooling(mode)])
  expect(output).toMatchObject({ dtype: 'f32', shape: ['B', 4] })
  expect(roles).toEqual([role])
  expect(ops).toEqual([op])
})

test('max pooling takes the maximum of pooled tokens only', () => {
  const { output, roles, ops } = embed([pooling('max')])
  expect(output.shape).toEqual(['B', 4])
  expect(roles).toEqual(['pooled_rows'])
  expect(ops).toEqual(['Gather', 'ReduceMax'])
})

test('several modes are joined in their own order', () => {
  const { output, roles } = embed([pooling('weightedmean', 'cls', 'max')])
  expect(output.shape).toEqual(['B', 12])
  expect(roles).toEqual(['position_weights', 'first_rows', 'pooled_rows'])
})

test('states of half precision are pooled in float32', () => {
  const { output, ops } = embed([pooling('mean')], 'F16')
  expect(output.dtype).toBe('f32')
  expect(ops).toEqual(['Cast', 'MatMul'])
})

test('steps follow one another', () => {
  const { output, vectorWidth, ops } = embed([pooling('cls', 'mean'), NORMALIZE, dense(3, 8, 'tanh')])
  expect(output.shape).toEqual(['B', 3])
  expect(vectorWidth).toBe(3)
  expect(ops).toEqual(['Gather', 'MatMul', 'Concat', 'LpNormalization', 'Gemm', 'Tanh'])
})

test('where the last step normalizes, the length before it is one more number', () => {
  const { output, vectorWidth, ops } = embed([pooling('mean'), NORMALIZE, dense(3, 4), NORMALIZE])
  expect(output).toMatchObject({ dtype: 'f32', shape: ['B', 4] })
  expect(vectorWidth).toBe(3)
  expect(ops).toEqual(['MatMul', 'LpNormalization', 'Gemm', 'ReduceL2', 'LpNormalization', 'Concat'])
})

test('the vectors of tokens are what is pooled, in float32', () => {
  const single = embed([pooling('mean'), dense(3, 4)])
  expect(single.tokens).toBe(single.states)
  const half = embed([pooling('mean')], 'F16')
  expect(half.tokens).toMatchObject({ dtype: 'f32', shape: ['T', 4] })
})

test('a Dense module that takes another width is refused with both', async () => {
  await expectRefusal(
    () => embed([pooling('mean'), dense(3, 5)]),
    'model_invalid',
    'takes 5 numbers',
    'given 4',
  )
})

test('steps of tokens change what is pooled, and what is shown of tokens', () => {
  const perToken: EmbeddingStep = { ...(dense(3, 4) as DenseStep), perToken: true }
  const { output, tokens, ops } = embed([perToken, { kind: 'normalize', perToken: true }, pooling('mean')])
  expect(output.shape).toEqual(['B', 3])
  expect(tokens?.shape).toEqual(['T', 3])
  expect(ops).toEqual(['Gemm', 'LpNormalization', 'MatMul'])
})

test('a residual is added after the activation', () => {
  const step = dense(4, 4, 'tanh') as DenseStep
  expect(embed([pooling('mean'), { ...step, residual: 'input' }]).ops).toEqual([
    'MatMul',
    'Gemm',
    'Tanh',
    'Add',
  ])
  const projected = { ...(dense(3, 4, 'tanh') as DenseStep), residual: ref([3, 4]) }
  expect(embed([pooling('mean'), projected]).ops).toEqual(['MatMul', 'Gemm', 'Tanh', 'Gemm', 'Add'])
})

test('a LayerNorm module of another width is refused with both', async () => {
  const step: EmbeddingStep = { kind: 'layer_norm', weight: ref([5]), bias: ref([5]) }
  await expectRefusal(() => embed([pooling('mean'), step]), 'model_invalid', 'takes 5 numbers', 'given 4')
})

test('WeightedLayerPooling of another number of layers than the model has is refused with both', async () => {
  const step: EmbeddingStep = { kind: 'layers', weights: ref([3]), start: 1 }
  await expectRefusal(
    () => embed([step, pooling('mean')]),
    'model_invalid',
    '3 weights from layer 1 on',
    'gives 0 there',
  )
})

/** Of routes with these steps, for task0, task1 and so on. */
function routed(...lines: readonly (readonly EmbeddingStep[])[]) {
  const b = new GraphBuilder()
  const states = b.gather(b.tensor(ref([50, 4])), b.input('ids'))
  return buildEmbeddingHead({ b, kernels: TARGETS['cpu-f32'].kernels }, states, {
    kind: 'embedding',
    steps: lines[0] ?? [],
    routes: lines.map((steps, index) => ({ tasks: [`task${index}`], steps })),
  })
}

test('routes stand side by side, each with its length', async () => {
  const { output, vectorWidth } = routed([pooling('mean'), NORMALIZE], [pooling('cls'), NORMALIZE])
  expect(output.shape).toEqual(['B', 10])
  expect(vectorWidth).toBe(4)
  await expectRefusal(
    () => routed([pooling('mean')], [pooling('cls'), dense(3, 4)]),
    'model_unsupported',
    'route task0 makes vectors of 4 numbers and task1 of 3',
  )
  await expectRefusal(
    () => routed([pooling('mean')], [pooling('cls'), NORMALIZE]),
    'model_unsupported',
    'task1',
  )
})

test('routes of which one leaves the prompt out of its pooling are refused', async () => {
  const plain: EmbeddingStep = { kind: 'pooling', modes: ['mean'], includePrompt: false }
  expect(routed([plain], [{ ...plain, modes: ['cls'] }]).output.shape).toEqual(['B', 8])
  await expectRefusal(
    () => routed([pooling('mean')], [plain]),
    'model_unsupported',
    'routes task0 and task1 differ in include_prompt',
  )
})

test('routes whose tokens go through other modules are refused', async () => {
  const unit: EmbeddingStep = { kind: 'normalize', perToken: true }
  expect(routed([unit, pooling('mean')], [unit, pooling('cls')]).output.shape).toEqual(['B', 8])
  await expectRefusal(
    () => routed([pooling('mean')], [unit, pooling('mean')]),
    'model_unsupported',
    'routes task0 and task1 differ in what tokens go through, nothing and normalize',
  )
})

test.each([
  ['dense', dense(3, 4)],
  ['normalize', NORMALIZE],
] as const)('a %s module before Pooling is refused', async (kind, step) => {
  await expectRefusal(() => embed([step]), 'model_invalid', `a ${kind} module stands before Pooling`)
})

test('a pipeline without Pooling is refused', async () => {
  await expectRefusal(() => embed([]), 'model_invalid', 'no Pooling')
})

const HEADS = [
  ['on the CPU', TARGETS['cpu-f32'].headKernels],
  ['on CUDA', TARGETS['cuda-f16'].headKernels],
] as const

test.each(HEADS)(
  'a vector is divided by its length, which follows it, and a zero vector stays zero: %s',
  async (_, kernels) => {
    const b = new GraphBuilder()
    const table = b.tensor(await fileTensor(Float32Array.of(3, -4, 0, 0, 0, 1e-3), [3, 2]))
    const states = b.gather(table, b.input('ids'))
    const { output } = buildEmbedding({ b, kernels }, states, [pooling('cls'), NORMALIZE])
    const graph = b.finish({ output })
    const rows = { data: Int32Array.of(0, 1, 2), dims: [3] }
    const { data } = await runGraph(graph, [
      ['ids', rows],
      ['first_rows', rows],
    ])
    const expected = [0.6, -0.8, 5, 0, 0, 0, 0, 1, 1e-3]
    expect(data).toHaveLength(expected.length)
    for (const [index, x] of expected.entries()) expect(data[index]).toBeCloseTo(x, 6)
  },
)

test.each(HEADS)('the greatest of each number over the tokens of a row: %s', async (_, kernels) => {
  const b = new GraphBuilder()
  const table = b.tensor(await fileTensor(Float32Array.of(3, -4, -1, 2, -7, -9), [3, 2]))
  const states = b.gather(table, b.input('ids'))
  const { output } = buildEmbedding({ b, kernels }, states, [pooling('max')])
  const graph = b.finish({ output })
  checkGraph(graph)
  const { data, dims } = await runGraph(graph, [
    ['ids', { data: Int32Array.of(0, 1, 2), dims: [3] }],
    ['pooled_rows', { data: Int32Array.of(0, 1, 1, 2, 2, 2), dims: [2, 3] }],
  ])
  expect(dims).toEqual([2, 2])
  expect(data).toEqual([3, 2, -7, -9])
})

describe('activations', () => {
  const XS = [-3, -1, -0.25, 0, 0.5, 2]

  /** erf by the series of its Taylor expansion: exact enough below 3. */
  function erf(x: number): number {
    let sum = 0
    let term = x
    for (let n = 0; n < 60; n++) {
      sum += term / (2 * n + 1)
      term *= (-x * x) / (n + 1)
    }
    return (2 / Math.sqrt(Math.PI)) * sum
  }

  const sigmoid = (x: number) => 1 / (1 + Math.exp(-x))
  const total = XS.reduce((sum, x) => sum + Math.exp(x), 0)
  const FORMULAS: Readonly<Record<HiddenActivation, (x: number) => number>> = {
    identity: (x) => x,
    tanh: Math.tanh,
    sigmoid,
    relu: (x) => Math.max(0, x),
    leaky_relu: (x) => (x < 0 ? 0.01 * x : x),
    elu: (x) => (x < 0 ? Math.exp(x) - 1 : x),
    selu: (x) => 1.0507009873554805 * (x < 0 ? 1.6732632423543772 * (Math.exp(x) - 1) : x),
    softplus: (x) => Math.log(1 + Math.exp(x)),
    mish: (x) => x * Math.tanh(Math.log(1 + Math.exp(x))),
    softmax: (x) => Math.exp(x) / total,
    gelu: (x) => (x / 2) * (1 + erf(x / Math.SQRT2)),
    gelu_tanh: (x) => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
    silu: (x) => x * sigmoid(x),
    quick_gelu: (x) => x * sigmoid(1.702 * x),
  }

  test.each(Object.entries(FORMULAS))('%s is its formula', async (name, formula) => {
    const b = new GraphBuilder()
    const x = b.gather(b.tensor(await fileTensor(Float32Array.from(XS), [1, 6])), b.input('ids'))
    const y = activate(b, x, name as HiddenActivation)
    const { data } = await runGraph(b.finish({ output: y }), [['ids', { data: Int32Array.of(0), dims: [1] }]])
    for (const [index, x] of XS.entries()) expect(data[index]).toBeCloseTo(formula(x), 6)
  })

  test('the two forms of gelu are told apart', () => {
    expect(Math.abs(FORMULAS.gelu(2) - FORMULAS.gelu_tanh(2))).toBeGreaterThan(1e-5)
    // transformers 5.23, activations.py
    expect(ACTIVATION_NAMES).toMatchObject({ gelu: 'gelu', gelu_new: 'gelu_tanh', gelu_fast: 'gelu_tanh' })
    expect(ACTIVATION_NAMES).toMatchObject({
      gelu_pytorch_tanh: 'gelu_tanh',
      gelu_python: 'gelu',
      swish: 'silu',
    })
  })
})
