/**
 * How large the codes of weights may be. Processors without VNNI add two products of an unsigned and a signed code in 16 bits,
 * where the largest codes are cut off; with one bit less they fit. The kernel itself is asked, whatever the processor.
 */
import type { Graph, Value } from '../../graph/ir.ts'
import { INPUTS, OUTPUT } from '../../graph/contract.ts'
import { encodeGraph } from '../../graph/encode.ts'
import type { createSession } from '../session.ts'

/** Enough columns and rows for the kernels that real layers run with. */
const SIZE = 64
const FULL = 127
const REDUCED = 63

/** 127, or 63 where sums of the largest codes come out wrong. */
export async function findGreatestCode(open: typeof createSession, threadCount: number): Promise<number> {
  const session = await open(encodeGraph(graphOfLargest()), { device: { kind: 'cpu' }, threadCount })
  try {
    const weights = { data: new Float32Array(SIZE * SIZE).fill(1), dims: [SIZE, SIZE] }
    const { rows } = await session.run(new Map([['mean_weights', weights]]))
    return rows.every((sum) => Math.abs(sum - SIZE * FULL) < 1) ? FULL : REDUCED
  } finally {
    await session.release()
  }
}

/** Ones [B, T], which become codes of 255, times codes of 127. */
function graphOfLargest(): Graph {
  const x: Value = { name: 'mean_weights', ...INPUTS.mean_weights }
  const codes: Value = { name: 'codes', dtype: 'i8', shape: [SIZE, SIZE] }
  const scales: Value = { name: 'scales', dtype: 'f32', shape: [SIZE] }
  const output: Value = { name: OUTPUT, dtype: 'f32', shape: ['B', SIZE] }
  const inputs = [x.name, codes.name, scales.name]
  return {
    inputs: [{ ...x, shape: ['B', SIZE] }],
    initializers: [
      { value: codes, source: new Uint8Array(SIZE * SIZE).fill(FULL) },
      { value: scales, source: new Uint8Array(new Float32Array(SIZE).fill(1).buffer) },
    ],
    nodes: [{ op: 'DynamicQuantizeMatMul', inputs, attributes: {}, outputs: [output] }],
    outputs: [output],
  }
}
