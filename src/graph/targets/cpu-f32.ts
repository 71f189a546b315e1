/** CPU, float32: Gemm with its bias, on weights as they lie in the file. */
import type { GraphBuilder } from '../builder.ts'
import type { Value } from '../ir.ts'
import type { Matrix } from '../matrix.ts'
import { joinNeighbours, mustBeMade } from '../matrix.ts'
import type { AnyLinear, Linear } from '../tensor-table.ts'
import type { Products } from './cpu-kernels.ts'
import { cpuKernels } from './cpu-kernels.ts'
import { joinBiases, matrix, vector } from './cpu-parts.ts'

export const floatProducts: Products = { project, projectJoined }

export const cpuF32 = cpuKernels(floatProducts)

function project(b: GraphBuilder, x: Value, { weight, bias, inputMajor }: AnyLinear): Value {
  if (inputMajor) {
    const y = b.node('MatMul', [x, matrix(b, weight)])
    return bias === undefined ? y : b.node('Add', [y, vector(b, bias)])
  }
  return gemm(b, x, matrix(b, weight), bias && vector(b, bias))
}

function projectJoined(b: GraphBuilder, x: Value, linears: readonly Linear[]): Value {
  return gemm(b, x, joinWeights(b, linears), joinBiases(b, linears))
}

function gemm(b: GraphBuilder, x: Value, weight: Value, bias: Value | undefined): Value {
  return b.node('Gemm', [x, weight, bias], { transB: { int: 1 } })
}

function joinWeights(b: GraphBuilder, parts: readonly Linear[]): Value {
  const weights = parts.map(({ weight }) => weight)
  if (weights.some(mustBeMade)) return b.weight({ dtype: 'f32', parts: weights })
  const joined = joinMatrices(weights)
  if (joined !== undefined) return matrix(b, joined)
  return b.concat(
    weights.map((weight) => matrix(b, weight)),
    0,
  )
}

/** Neighbours in the file need no copy. */
function joinMatrices(parts: readonly Matrix[]): Matrix | undefined {
  const values = joinNeighbours(parts.map((part) => part.values))
  const scales = parts.flatMap(({ scale }) => (scale === undefined ? [] : [scale]))
  if (scales.length === 0) return values && { values, scale: undefined }
  const scale = joinNeighbours(scales)
  return values && scale && { values, scale }
}
