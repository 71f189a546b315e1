/** Codes of 8 bits: integers exactly, as the kernels add them up, and everything around them in float64. */
import type { KernelTable, NodeCall } from '../node-call.ts'
import type { Tensor } from '../tensor.ts'
import { at, sizeAt } from '../tensor.ts'

export const QUANTIZED: KernelTable = {
  QuantizeLinear: quantize,
  DequantizeLinear: dequantize,
  DynamicQuantizeMatMul: multiplyDynamic,
  MatMulIntegerToFloat: multiplyCodes,
}

function quantize(call: NodeCall): Tensor {
  const { dims, data } = call.operand(0)
  const step = scalarOf(call, 1)
  const zero = scalarOf(call, 2)
  return { dtype: 'u8', dims, data: data.map((value) => toCode(value, step, zero)) }
}

function dequantize(call: NodeCall): Tensor {
  const { dims, data } = call.operand(0)
  const step = scalarOf(call, 1)
  const zero = scalarOf(call, 2)
  return { dtype: 'f32', dims, data: data.map((code) => (code - zero) * step) }
}

/** Codes of the left side reach from its least to its greatest number, zero among them. */
function multiplyDynamic(call: NodeCall): Tensor {
  const x = call.operand(0)
  const least = x.data.reduce((a, b) => Math.min(a, b), 0)
  const greatest = x.data.reduce((a, b) => Math.max(a, b), 0)
  const step = least === greatest ? 1 : Math.fround((Math.fround(greatest) - Math.fround(least)) / 255)
  const zero = roundToEven(Math.min(255, Math.max(0, Math.fround(-least / step))))
  const codes = x.data.map((value) => toCode(value, step, zero))
  const [weights, scales, bias] = [call.operand(1), call.operand(2), call.optional(4)]
  return product({ ...x, data: codes }, { step, zero, weights, scales, bias })
}

function multiplyCodes(call: NodeCall): Tensor {
  const [step, zero] = [scalarOf(call, 2), scalarOf(call, 4)]
  const [weights, scales, bias] = [call.operand(1), call.operand(3), call.optional(6)]
  return product(call.operand(0), { step, zero, weights, scales, bias })
}

interface Right {
  readonly step: number
  readonly zero: number
  /** [K, N] */
  readonly weights: Tensor
  readonly scales: Tensor
  readonly bias: Tensor | undefined
}

function product(left: Tensor, { step, zero, weights, scales, bias }: Right): Tensor {
  const [K, N] = [sizeAt(weights.dims, 0), sizeAt(weights.dims, 1)]
  const M = left.data.length / K
  const data = new Float64Array(M * N)
  for (let m = 0; m < M; m++) {
    for (let n = 0; n < N; n++) {
      let sum = 0
      for (let k = 0; k < K; k++) sum += (at(left.data, m * K + k) - zero) * at(weights.data, k * N + n)
      data[m * N + n] = sum * step * at(scales.data, n) + (bias === undefined ? 0 : at(bias.data, n))
    }
  }
  return { dtype: 'f32', dims: [M, N], data }
}

function toCode(value: number, step: number, zero: number): number {
  return Math.min(255, Math.max(0, roundToEven(Math.fround(value / step)) + zero))
}

function roundToEven(value: number): number {
  const below = Math.floor(value)
  const rest = value - below
  if (rest !== 0.5) return Math.round(value)
  return below % 2 === 0 ? below : below + 1
}

function scalarOf(call: NodeCall, index: number): number {
  return at(call.operand(index).data, 0)
}
