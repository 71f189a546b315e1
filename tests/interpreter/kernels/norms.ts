import type { KernelTable, NodeCall } from '../node-call.ts'
import type { Tensor } from '../tensor.ts'
import { at, widthOf } from '../tensor.ts'

/** All over the last axis, with statistics in full precision. */
export const NORMS: KernelTable = {
  LpNormalization: lpNormalization,
  LayerNormalization: (call) => {
    expectLastAxis(call)
    const parts = { weight: call.operand(1), bias: call.optional(2), epsilon: call.float('epsilon', 1e-5) }
    return layerNorm(call.operand(0), parts)
  },
  SimplifiedLayerNormalization: (call) => {
    expectLastAxis(call)
    const parts = { weight: call.operand(1), epsilon: call.float('epsilon', 1e-5) }
    return rmsNorm(call.operand(0), parts)
  },
  SkipLayerNormalization: (call) => {
    const sum = sumOf(call, call.optional(4))
    const parts = { weight: call.operand(2), bias: call.optional(3), epsilon: call.float('epsilon', 1e-12) }
    return [layerNorm(sum, parts), undefined, undefined, sum]
  },
  SkipSimplifiedLayerNormalization: (call) => {
    const sum = sumOf(call, call.optional(3))
    const parts = { weight: call.operand(2), epsilon: call.float('epsilon', 1e-12) }
    return [rmsNorm(sum, parts), undefined, undefined, sum]
  },
}

interface NormParts {
  readonly weight: Tensor
  readonly bias?: Tensor | undefined
  readonly epsilon: number
}

/** x / ‖x‖₂; a row of zeros stays. */
function lpNormalization(call: NodeCall): Tensor {
  const x = call.operand(0)
  expectLastAxis(call)
  if (call.int('p', 2) !== 2) throw new Error('LpNormalization: p must be 2')
  return eachRow(x, (row) => {
    const length = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0))
    if (length !== 0) for (let i = 0; i < row.length; i++) row[i] = at(row, i) / length
  })
}

function layerNorm(x: Tensor, { weight, bias, epsilon }: NormParts): Tensor {
  return eachRow(x, (row) => {
    const mean = row.reduce((sum, value) => sum + value, 0) / row.length
    const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / row.length
    const factor = 1 / Math.sqrt(variance + epsilon)
    for (let i = 0; i < row.length; i++) {
      const shift = bias === undefined ? 0 : at(bias.data, i)
      row[i] = (at(row, i) - mean) * factor * at(weight.data, i) + shift
    }
  })
}

export function rmsNorm(x: Tensor, { weight, epsilon }: NormParts): Tensor {
  return eachRow(x, (row) => {
    const square = row.reduce((sum, value) => sum + value * value, 0) / row.length
    const factor = 1 / Math.sqrt(square + epsilon)
    for (let i = 0; i < row.length; i++) row[i] = at(row, i) * factor * at(weight.data, i)
  })
}

/** Of x, residual and the bias of x. The kernels keep it in float32 and round what they store of it. */
function sumOf(call: NodeCall, bias: Tensor | undefined): Tensor {
  const x = call.operand(0)
  const residual = call.operand(1)
  const width = widthOf(x)
  const data = x.data.map(
    (value, i) => value + at(residual.data, i) + (bias === undefined ? 0 : at(bias.data, i % width)),
  )
  return { ...x, data }
}

function eachRow(x: Tensor, change: (row: Float64Array) => void): Tensor {
  const data = x.data.slice()
  const width = widthOf(x)
  for (let start = 0; start < data.length; start += width) change(data.subarray(start, start + width))
  return { ...x, data }
}

function expectLastAxis(call: NodeCall): void {
  if (call.int('axis', -1) !== -1) throw new Error('a norm is known over the last axis only')
}
