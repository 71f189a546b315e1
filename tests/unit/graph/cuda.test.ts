import { describe, expect, test } from 'vitest'
import { buildGraph } from '../../../src/graph/build.ts'
import { GraphBuilder } from '../../../src/graph/builder.ts'
import { checkGraph } from '../../../src/graph/check.ts'
import type { Graph, GraphNode, WeightRecipe } from '../../../src/graph/ir.ts'
import type { TargetName } from '../../../src/graph/target.ts'
import { TARGETS } from '../../../src/graph/target.ts'
import { cudaKernels } from '../../../src/graph/targets/cuda.ts'
import type { ModelSpec } from '../../../src/model/spec.ts'
import { prepare } from '../../interpreter/interpret.ts'
import { makeFolder } from '../model/model-folder.ts'
import { largestDifference } from './ragged.ts'
import type { Norm } from './textbook.ts'
import { activate, add, gated, normalize, project } from './textbook.ts'
import { ref, tinyBert } from './tiny-bert.ts'
import { WeightFile } from './weight-file.ts'

function opsOf(graph: Graph): string[] {
  return graph.nodes.map(({ op }) => op).filter((op) => op !== 'Reshape')
}

function graphOf(target: TargetName, spec: ModelSpec = tinyBert()): Graph {
  return buildGraph(spec, target).graph
}

describe('a layer of BERT', () => {
  // PackedMultiHeadAttention is two launches, one for biases and layout, one for attention: nine in all.
  const LAYER =
    'FusedMatMul PackedMultiHeadAttention FusedMatMul SkipLayerNormalization ' +
    'FusedMatMul BiasGelu FusedMatMul SkipLayerNormalization'

  test.each(['cuda-f32', 'cuda-f16'] as const)('is eight nodes on %s', (target) => {
    const ops = opsOf(graphOf(target))
    const first = ops.indexOf('FusedMatMul')
    expect(ops.slice(first, first + 16).join(' ')).toBe(`${LAYER} ${LAYER}`)
  })

  test('is gathered into rows and back for bfloat16, whose biases stand apart from the product', () => {
    const ops = opsOf(graphOf('cuda-bf16'))
    const first = ops.indexOf('FusedMatMul')
    const attention = 'FusedMatMul Add Gather GroupQueryAttention Gather'
    const rest = LAYER.replace('FusedMatMul PackedMultiHeadAttention ', '')
    expect(ops.slice(first, first + 11).join(' ')).toBe(`${attention} ${rest}`)
  })

  test('adds its biases where norms add the residual, and writes no sum that nobody reads', () => {
    const norms = graphOf('cuda-f16').nodes.filter(({ op }) => op === 'SkipLayerNormalization')
    expect(norms.map(({ inputs }) => inputs.length)).toEqual([5, 5, 5, 5])
    expect(norms.map(({ outputs }) => outputs.length)).toEqual([1, 1, 1, 1])
  })
})

test('weights of the dtype at hand stay in the file, all others are made', () => {
  const sourcesOf = (target: TargetName) =>
    graphOf(target).initializers.flatMap(({ source, value }) =>
      source instanceof Uint8Array ? [] : [`${'parts' in source ? 'made' : 'kept'} ${value.dtype}`],
    )
  expect(new Set(sourcesOf('cuda-f16'))).toEqual(new Set(['kept f32', 'made f16']))
  // Tables are gathered as they are stored.
  expect(sourcesOf('cuda-f16').filter((source) => source === 'kept f32')).toHaveLength(3)
  // Query, key and value take turns, and their biases lie apart.
  expect(sourcesOf('cuda-f32').filter((source) => source.startsWith('made'))).toHaveLength(2 * 2)
})

test('a classifier’s dense layer and its scores are float32', () => {
  const labels = ['no', 'yes']
  const head: ModelSpec['head'] = { kind: 'classification', labels, activation: 'softmax' }
  const tensors = {
    'pooler.dense.weight': ref([16, 16]),
    'pooler.dense.bias': ref([16]),
    'classifier.weight': ref([2, 16]),
    'classifier.bias': ref([2]),
  }
  const { nodes } = graphOf('cuda-f16', tinyBert({ head, tensors }))
  const first = nodes.findIndex(({ op, outputs }) => op === 'Cast' && outputs[0]?.dtype === 'f32')
  const ends = nodes.slice(first)
  expect(ends.map(({ op }) => op)).toContain('Softmax')
  expect(new Set(ends.flatMap(({ outputs }) => outputs.map(({ dtype }) => dtype)))).toEqual(new Set(['f32']))
})

test('a pre-norm step reads the sum and its norm from one node', () => {
  const b = new GraphBuilder()
  const kernels = cudaKernels('f16')
  const x = b.cast(b.gather(b.tensor(ref([9, 4])), b.input('ids')), 'f16')
  const norm = { kind: 'rms', weight: ref([4]), bias: undefined, epsilon: 1e-6, plusOne: true } as const
  const linear = { weight: { values: ref([4, 4]), scale: undefined }, bias: ref([4]) }
  const { sum, normed } = kernels.linearAddNorm(b, x, linear, x, norm)
  const graph = b.finish({ output: b.node('Add', [sum, normed]) })
  checkGraph(graph)
  const [node] = graph.nodes.filter(({ op }) => op === 'SkipSimplifiedLayerNormalization') as [GraphNode]
  expect(node.outputs.map(({ name }) => name === '')).toEqual([false, true, true, false])
  expect(node.inputs).toHaveLength(4)
  const recipes = graph.initializers.map(({ source }) => (source as WeightRecipe).plusOne)
  expect(recipes).toContain(true)
})

describe('numbers', () => {
  const ROWS = 5
  const WIDTH = 6

  /** The interpreter's numbers of what `build` adds to hidden states, and the states themselves. */
  async function run(
    build: (b: GraphBuilder, weights: WeightFile, x: ReturnType<GraphBuilder['node']>) => unknown,
  ) {
    const weights = new WeightFile(await makeFolder(), { seed: 7, gap: 4 })
    const { tensors, numbers } = weights.table(ROWS, WIDTH)
    const b = new GraphBuilder()
    const x = cudaKernels('f32').lookup(b, tensors, b.input('ids'))
    const output = build(b, weights, x) as ReturnType<GraphBuilder['node']>
    await weights.write()
    const graph = b.finish({ output })
    checkGraph(graph)
    const ids = { data: Int32Array.from({ length: ROWS }, (_, id) => id), dims: [ROWS] }
    return { numbers, found: [...(prepare(graph)([['ids', ids]]).get('output')?.data ?? [])] }
  }

  const kernels = cudaKernels('f32')

  test.each(['identity', 'relu', 'tanh', 'silu', 'gelu_tanh'] as const)(
    'of a layer and %s, with its bias and without',
    async (activation) => {
      for (const bias of [true, false]) {
        let linear: ReturnType<WeightFile['linear']> | undefined
        const { numbers, found } = await run((b, weights, x) => {
          linear = weights.linear(4, WIDTH, { bias })
          return kernels.linear(b, x, linear.tensors, activation)
        })
        const expected = activate(
          project(numbers, linear?.numbers ?? { weight: [], bias: undefined }),
          activation,
        )
        expect(largestDifference(found, expected.flat())).toBeLessThanOrEqual(2e-6)
      }
    },
  )

  test.each([
    ['layer', true],
    ['layer', false],
    ['rms', false],
  ] as const)(
    'of a residual, a layer’s bias and a norm: %s, with a bias of its own: %s',
    async (kind, bias) => {
      let parts: { linear: ReturnType<WeightFile['linear']>; norm: { numbers: Norm } } | undefined
      const { numbers, found } = await run((b, weights, x) => {
        const linear = weights.linear(WIDTH, WIDTH)
        const norm = weights.norm(WIDTH, { kind, bias, plusOne: kind === 'rms' })
        parts = { linear, norm }
        const { sum, normed } = kernels.linearAddNorm(b, x, linear.tensors, x, norm.tensors)
        const again = kernels.addNorm(b, sum, normed, norm.tensors)
        return b.concat([sum, normed, again.sum, again.normed], 1)
      })
      if (parts === undefined) throw new Error('nothing was built')
      const { linear, norm } = parts
      const sum = add(project(numbers, linear.numbers), numbers)
      const normed = normalize(sum, norm.numbers)
      const both = add(sum, normed)
      const expected = sum.map((_, t) =>
        [sum, normed, both, normalize(both, norm.numbers)].flatMap((rows) => rows[t] ?? []),
      )
      expect(largestDifference(found, expected.flat())).toBeLessThanOrEqual(5e-6)
    },
  )

  test('of a gated step', async () => {
    let parts: ReturnType<WeightFile['linear']>[] = []
    const { numbers, found } = await run((b, weights, x) => {
      parts = [weights.linear(4, WIDTH), weights.linear(4, WIDTH, { int8: true })]
      const [gate, up] = parts.map(({ tensors }) => tensors)
      if (gate === undefined || up === undefined) throw new Error('a part is missing')
      return kernels.gated(b, x, { gate, up, activation: 'silu' })
    })
    const [gate, up] = parts.map((part) => part.numbers)
    if (gate === undefined || up === undefined) throw new Error('a part is missing')
    expect(largestDifference(found, gated(numbers, gate, up, 'silu').flat())).toBeLessThanOrEqual(5e-6)
  })
})

test('every CUDA target keeps two batches under way', () => {
  const facts = Object.entries(TARGETS).map(([name, { provider, dtype, depth }]) => [
    name,
    provider,
    dtype,
    depth,
  ])
  expect(facts).toEqual([
    ['cpu-f32', 'cpu', 'fp32', 1],
    ['cpu-int8-fast', 'cpu', 'int8', 1],
    ['cpu-int8-balanced', 'cpu', 'int8', 1],
    ['cpu-int8-faithful', 'cpu', 'int8', 1],
    ['cuda-f32', 'cuda', 'fp32', 2],
    ['cuda-f16', 'cuda', 'fp16', 2],
    ['cuda-bf16', 'cuda', 'bf16', 2],
  ])
})

test('no batch that is tried is beyond the grids of kernels that count tokens in their second place', () => {
  for (const { provider, batchTokens } of Object.values(TARGETS))
    if (provider === 'cuda') expect(batchTokens).toBeLessThan(65_536)
})
