import { OUTPUT } from '../../src/graph/contract.ts'
import type { InputRole } from '../../src/graph/contract.ts'
import type { Graph } from '../../src/graph/ir.ts'

/** Its input: any that is float32. */
export const TINY_INPUT: InputRole = 'mean_weights'

/** The smallest graph that makes a provider work: x · x, a matrix product of [1, 1]. */
export const TINY_GRAPH: Graph = {
  inputs: [{ name: TINY_INPUT, dtype: 'f32', shape: [1, 1] }],
  initializers: [],
  nodes: [
    {
      op: 'MatMul',
      inputs: [TINY_INPUT, TINY_INPUT],
      attributes: {},
      outputs: [{ name: OUTPUT, dtype: 'f32', shape: [1, 1] }],
    },
  ],
  outputs: [{ name: OUTPUT, dtype: 'f32', shape: [1, 1] }],
}
