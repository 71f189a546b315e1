import { expect, test } from 'vitest'
import { GraphBuilder } from '../../../../src/graph/builder.ts'
import { checkGraph } from '../../../../src/graph/check.ts'
import { raiseByExperts } from '../../../../src/graph/layers/experts.ts'
import { cpuF32 } from '../../../../src/graph/targets/cpu-f32.ts'
import { TensorTable } from '../../../../src/graph/tensor-table.ts'
import { makeFolder } from '../../model/model-folder.ts'
import { largestDifference } from '../ragged.ts'
import { runGraph } from '../run-graph.ts'
import { activate, project } from '../textbook.ts'
import { tinyBert } from '../tiny-bert.ts'
import { WeightFile } from '../weight-file.ts'

const TOKENS = 7
const H = 6
/** E */
const EXPERTS = 4
/** I */
const WIDTH = 3
const CHOSEN = 2

test.each([
  ['floats', false],
  ['codes with scales', true],
])('a router whose weight is %s gives each token’s best experts their shares', async (_, int8) => {
  const weights = new WeightFile(await makeFolder(), { seed: 3, gap: 0 })
  const states = weights.table(TOKENS, H)
  const router = weights.linear(EXPERTS, H, { bias: false, int8 })
  const up = weights.linear(EXPERTS * WIDTH, H, { bias: false })
  await weights.write()

  const { values, scale } = router.tensors.weight
  const tensors = new TensorTable(
    {
      ...tinyBert(),
      tensors: {
        up: up.tensors.weight.values,
        'router.weight': values,
        ...(scale && { 'router.weight_scale': scale }),
      },
    },
    { prefixes: [''], probe: 'up' },
  )
  const b = new GraphBuilder()
  const x = cpuF32.lookup(b, states.tensors, b.input('ids'))
  const plan = {
    kind: 'experts',
    router: { name: 'router', bias: false },
    experts: EXPERTS,
    chosen: CHOSEN,
    up: 'up',
    down: 'down',
    bias: 'bias',
    width: WIDTH,
    activation: 'relu',
  } as const
  const shop = { b, tensors, kernels: cpuF32, headKernels: cpuF32 }
  const graph = b.finish({ output: raiseByExperts(shop, x, plan, H) })
  checkGraph(graph)
  const ids = { data: Int32Array.from({ length: TOKENS }, (__, t) => t), dims: [TOKENS] }
  const { data } = await runGraph(graph, [['ids', ids]])

  const raised = activate(project(states.numbers, up.numbers), 'relu')
  const expected = project(states.numbers, router.numbers).flatMap((logits, t) => {
    const powers = logits.map(Math.exp)
    const shares = powers.map((power) => power / powers.reduce((sum, other) => sum + other))
    const least = shares.toSorted((a, z) => z - a)[CHOSEN - 1] ?? NaN
    return (raised[t] ?? []).map((number, index) => {
      const share = shares[Math.floor(index / WIDTH)] ?? NaN
      return share >= least ? number * share : 0
    })
  })
  expect(largestDifference(data, expected)).toBeLessThanOrEqual(1e-5)
})
