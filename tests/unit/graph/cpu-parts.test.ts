import { describe, expect, test } from 'vitest'
import { GraphBuilder } from '../../../src/graph/builder.ts'
import { checkGraph } from '../../../src/graph/check.ts'
import type { Value } from '../../../src/graph/ir.ts'
import type { HiddenActivation } from '../../../src/graph/layers/activation.ts'
import { cpuF32 } from '../../../src/graph/targets/cpu-f32.ts'
import { makeFolder } from '../model/model-folder.ts'
import { largestDifference } from './ragged.ts'
import { runGraph } from './run-graph.ts'
import type { Tokens } from './textbook.ts'
import { activate, add, gated, normalize, project } from './textbook.ts'
import type { NormOptions } from './weight-file.ts'
import { WeightFile } from './weight-file.ts'

const H = 10
const T = 5

async function openFile(): Promise<WeightFile> {
  return new WeightFile(await makeFolder(), { seed: 7, gap: 4 })
}

/** What a kernel makes of states that are drawn, and those states. */
async function run(weights: WeightFile, make: (b: GraphBuilder, x: Value) => Value) {
  const states = weights.table(T, H)
  const b = new GraphBuilder()
  const output = make(b, cpuF32.lookup(b, states.tensors, b.input('ids')))
  const graph = b.finish({ output })
  checkGraph(graph)
  await weights.write()
  const ids = { data: Int32Array.from({ length: T }, (_, t) => t), dims: [T] }
  const { dims, data } = await runGraph(graph, [['ids', ids]])
  expect(dims).toEqual([T, output.shape[1]])
  return { data, x: states.numbers }
}

function expectClose(found: readonly number[], expected: Tokens): void {
  expect(largestDifference(found, expected.flat())).toBeLessThanOrEqual(1e-5)
}

const NORMS: readonly (readonly [string, NormOptions])[] = [
  ['a layer norm', { kind: 'layer', bias: true }],
  ['a layer norm without bias', { kind: 'layer' }],
  ['a layer norm stored less one', { kind: 'layer', bias: true, plusOne: true }],
  ['a root mean square norm', { kind: 'rms' }],
  ['a root mean square norm stored less one', { kind: 'rms', plusOne: true }],
]

describe.each(NORMS)('%s', (_, options) => {
  test('is the textbook’s', async () => {
    const weights = await openFile()
    const norm = weights.norm(H, options)
    const { data, x } = await run(weights, (b, states) => cpuF32.norm(b, states, norm.tensors))
    expectClose(data, normalize(x, norm.numbers))
  })

  test('of a sum is given beside that sum', async () => {
    const weights = await openFile()
    const norm = weights.norm(H, options)
    const { data, x } = await run(weights, (b, states) => {
      const { sum, normed } = cpuF32.addNorm(b, b.node('Tanh', [states]), states, norm.tensors)
      return b.concat([sum, normed], 1)
    })
    const sums = add(x, activate(x, 'tanh'))
    const normed = normalize(sums, norm.numbers)
    expectClose(
      data,
      sums.map((token, t) => [...token, ...(normed[t] ?? [])]),
    )
  })

  test('of a projection and its residual is given beside their sum', async () => {
    const weights = await openFile()
    const norm = weights.norm(H, options)
    const layer = weights.linear(H, H)
    const { data, x } = await run(weights, (b, states) => {
      const residual = b.node('Tanh', [states])
      const { sum, normed } = cpuF32.linearAddNorm(b, states, layer.tensors, residual, norm.tensors)
      return b.concat([sum, normed], 1)
    })
    const sums = add(activate(x, 'tanh'), project(x, layer.numbers))
    const normed = normalize(sums, norm.numbers)
    expectClose(
      data,
      sums.map((token, t) => [...token, ...(normed[t] ?? [])]),
    )
  })
})

test.each<HiddenActivation>(['silu', 'gelu_tanh', 'relu'])(
  'a gated step activates its gate with %s and not what it lets through',
  async (activation) => {
    const weights = await openFile()
    const [gate, up] = [weights.linear(14, H), weights.linear(14, H, { bias: false, int8: true })]
    const inputs = { gate: gate.tensors, up: up.tensors, activation }
    const { data, x } = await run(weights, (b, states) => cpuF32.gated(b, states, inputs))
    expectClose(data, gated(x, gate.numbers, up.numbers, activation))
  },
)
