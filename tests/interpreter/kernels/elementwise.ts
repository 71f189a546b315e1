import type { Dtype } from '../../../src/graph/ir.ts'
import { ONNX_TYPES } from '../../../src/graph/ir.ts'
import type { Kernel, KernelTable, NodeCall } from '../node-call.ts'
import type { Tensor } from '../tensor.ts'
import { at, sizeAt, sizeOf, widthOf } from '../tensor.ts'

/** As ONNX and PyTorch have them. */
const SELU_ALPHA = 1.6732632423543772
const SELU_SCALE = 1.0507009873554805

export const ELEMENTWISE: KernelTable = {
  Add: binary((a, b) => a + b),
  Sub: binary((a, b) => a - b),
  Mul: binary((a, b) => a * b),
  Div: (call) => {
    const integers = call.operand(0).dtype.startsWith('i')
    return combine(call.operand(0), call.operand(1), (a, b) => (integers ? Math.trunc(a / b) : a / b))
  },
  Max: (call) => {
    const operands = Array.from({ length: call.operandCount }, (_, index) => call.operand(index))
    return operands.reduce((a, b) => combine(a, b, Math.max))
  },
  LessOrEqual: compare((a, b) => a <= b),
  Equal: compare((a, b) => a === b),
  Where: where,
  Abs: unary(Math.abs),
  Neg: unary((x) => -x),
  Clip: clip,
  Sqrt: unary(Math.sqrt),
  Log: unary(Math.log),
  Cos: unary(Math.cos),
  Sin: unary(Math.sin),
  Relu: unary((x) => Math.max(x, 0)),
  LeakyRelu: (call) => {
    const alpha = call.float('alpha', 0.01)
    return map(call.operand(0), (x) => (x < 0 ? alpha * x : x))
  },
  Elu: (call) => {
    const alpha = call.float('alpha', 1)
    return map(call.operand(0), (x) => (x < 0 ? alpha * Math.expm1(x) : x))
  },
  Selu: unary((x) => SELU_SCALE * (x < 0 ? SELU_ALPHA * Math.expm1(x) : x)),
  Softplus: unary((x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))),
  Tanh: unary(Math.tanh),
  Sigmoid: unary(sigmoid),
  Softmax: softmax,
  Gelu: (call) => {
    const tanh = call.text('approximate', 'none') === 'tanh'
    return map(call.operand(0), tanh ? geluTanh : gelu)
  },
  QuickGelu: (call) => {
    const alpha = call.float('alpha', 1.702)
    return map(call.operand(0), (x) => x * sigmoid(alpha * x))
  },
  BiasGelu: biased(gelu),
  FastGelu: biased(geluTanh),
  Cast: cast,
}

function map({ dtype, dims, data }: Tensor, of: (x: number) => number): Tensor {
  return { dtype, dims, data: data.map(of) }
}

function unary(of: (x: number) => number): Kernel {
  return (call) => map(call.operand(0), of)
}

function binary(of: (a: number, b: number) => number): Kernel {
  return (call) => combine(call.operand(0), call.operand(1), of)
}

function compare(of: (a: number, b: number) => boolean): Kernel {
  return (call) => ({
    ...combine(call.operand(0), call.operand(1), (a, b) => (of(a, b) ? 1 : 0)),
    dtype: 'bool',
  })
}

function combine(a: Tensor, b: Tensor, of: (a: number, b: number) => number): Tensor {
  const dims = broadcastDims(a.dims, b.dims)
  const left = spread(a, dims)
  const right = spread(b, dims)
  const data = new Float64Array(sizeOf(dims))
  for (let i = 0; i < data.length; i++) data[i] = of(at(left, i), at(right, i))
  return { dtype: a.dtype, dims, data }
}

function where(call: NodeCall): Tensor {
  const [test, yes, no] = [call.operand(0), call.operand(1), call.operand(2)]
  const dims = broadcastDims(test.dims, broadcastDims(yes.dims, no.dims))
  const [tests, left, right] = [test, yes, no].map((tensor) => spread(tensor, dims)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ]
  return {
    dtype: yes.dtype,
    dims,
    data: tests.map((chosen, i) => (chosen === 0 ? at(right, i) : at(left, i))),
  }
}

function clip(call: NodeCall): Tensor {
  const low = call.optional(1)?.data[0] ?? -Infinity
  const high = call.optional(2)?.data[0] ?? Infinity
  return map(call.operand(0), (x) => Math.min(Math.max(x, low), high))
}

function softmax(call: NodeCall): Tensor {
  const x = call.operand(0)
  if (call.int('axis', -1) !== -1) throw new Error('Softmax: only the last axis is known')
  const data = x.data.slice()
  const width = widthOf(x)
  for (let start = 0; start < data.length; start += width) {
    const row = data.subarray(start, start + width)
    const largest = row.reduce((most, value) => Math.max(most, value), -Infinity)
    const sum = row.reduce((total, value) => total + Math.exp(value - largest), 0)
    for (let i = 0; i < width; i++) row[i] = Math.exp(at(row, i) - largest) / sum
  }
  return { ...x, data }
}

/** of(x + bias), the bias over the last axis. */
function biased(of: (x: number) => number): Kernel {
  return (call) => {
    const bias = call.optional(1)
    const x = call.operand(0)
    return map(bias === undefined ? x : combine(x, bias, (a, b) => a + b), of)
  }
}

/** To integers towards zero, as C does; to a float by the rounding of the output. */
function cast(call: NodeCall): Tensor {
  const to = call.int('to')
  const dtype = (Object.keys(ONNX_TYPES) as Dtype[]).find((name) => ONNX_TYPES[name] === to)
  if (dtype === undefined) throw new Error(`Cast: there is no type ${to}`)
  const { dims, data } = call.operand(0)
  if (dtype === 'bool') return { dtype, dims, data: data.map((x) => (x === 0 ? 0 : 1)) }
  return { dtype, dims, data: dtype.startsWith('i') ? data.map(Math.trunc) : data.slice() }
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x))
}

function gelu(x: number): number {
  // −∞ · 0 is no number, but the limit is 0.
  return x === -Infinity ? 0 : 0.5 * x * (1 + erf(x * Math.SQRT1_2))
}

function geluTanh(x: number): number {
  return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)))
}

/** A series of positive terms, so that nothing cancels: erf(x) = 2/√π · exp(−x²) · Σ 2ⁿ x²ⁿ⁺¹ / (2n + 1)!! */
export function erf(x: number): number {
  if (Number.isNaN(x) || Math.abs(x) > 6) return Math.sign(x)
  let term = x
  let sum = x
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1)
    sum += term
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum
}

function broadcastDims(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length)
  return Array.from({ length: rank }, (_, axis) => {
    const p = a[axis - rank + a.length] ?? 1
    const q = b[axis - rank + b.length] ?? 1
    if (p !== q && p !== 1 && q !== 1) throw new Error(`[${a.join()}] and [${b.join()}] do not broadcast`)
    return p === 1 ? q : p
  })
}

/** The numbers of a tensor as they stand in a larger shape. */
export function spread({ dims, data }: Tensor, to: readonly number[]): Float64Array {
  const size = sizeOf(to)
  if (data.length === size) return data
  if (data.length === 1) return new Float64Array(size).fill(at(data, 0))
  const steps = stepsOf(dims, to)
  const out = new Float64Array(size)
  const position = to.map(() => 0)
  for (let i = 0, from = 0; i < size; i++) {
    out[i] = at(data, from)
    for (let axis = to.length - 1; axis >= 0; axis--) {
      position[axis] = sizeAt(position, axis) + 1
      from += sizeAt(steps, axis)
      if (sizeAt(position, axis) < sizeAt(to, axis)) break
      from -= sizeAt(steps, axis) * sizeAt(to, axis)
      position[axis] = 0
    }
  }
  return out
}

/** How far the source moves with each axis of the larger shape: not at all along an axis of 1. */
function stepsOf(dims: readonly number[], to: readonly number[]): number[] {
  const steps = to.map(() => 0)
  let step = 1
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    if (sizeAt(dims, axis) > 1) steps[axis + to.length - dims.length] = step
    step *= sizeAt(dims, axis)
  }
  return steps
}
