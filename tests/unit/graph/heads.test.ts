import { describe, expect, test } from 'vitest'
import { GraphBuilder } from '../../../src/graph/builder.ts'
import { checkGraph } from '../../../src/graph/check.ts'
import { buildEmbedding } from '../../../src/graph/heads/embedding.ts'
import type { HiddenActivation } from '../../../src/graph/layers/activation.ts'
import { ACTIVATION_NAMES, activate } from '../../../src/graph/layers/activation.ts'
import type { Activation, EmbeddingStep, PoolingMode, TensorDtype } from '../../../src/model/spec.ts'
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
  const { output, vectorWidth, tokens } = buildEmbedding(b, states, steps)
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

test.each([
  ['dense', dense(3, 4)],
  ['normalize', NORMALIZE],
] as const)('a %s module before Pooling is refused', async (kind, step) => {
  await expectRefusal(() => embed([step]), 'model_invalid', `a ${kind} module stands before Pooling`)
})

test('a pipeline without Pooling is refused', async () => {
  await expectRefusal(() => embed([]), 'model_invalid', 'no Pooling')
})

test('a vector is divided by its length, which follows it, and a zero vector stays zero', async () => {
  const b = new GraphBuilder()
  const table = b.tensor(await fileTensor(Float32Array.of(3, -4, 0, 0, 0, 1e-3), [3, 2]))
  const states = b.gather(table, b.input('ids'))
  const { output } = buildEmbedding(b, states, [pooling('cls'), NORMALIZE])
  const graph = b.finish({ output })
  const rows = { data: Int32Array.of(0, 1, 2), dims: [3] }
  const { data } = await runGraph(graph, [
    ['ids', rows],
    ['first_rows', rows],
  ])
  const expected = [0.6, -0.8, 5, 0, 0, 0, 0, 1, 1e-3]
  expect(data).toHaveLength(expected.length)
  for (const [index, x] of expected.entries()) expect(data[index]).toBeCloseTo(x, 6)
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
