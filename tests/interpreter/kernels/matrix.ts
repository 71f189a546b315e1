import type { KernelTable, NodeCall } from '../node-call.ts'
import type { Tensor } from '../tensor.ts'
import { at, sizeAt, sizeOf, widthOf } from '../tensor.ts'

export const MATRIX: KernelTable = {
  MatMul: (call) => matmul(call, false, 1),
  FusedMatMul: (call) => matmul(call, call.int('transB', 0) === 1, call.float('alpha', 1)),
  Gemm: gemm,
  ReduceMax: (call) => reduce(call, Math.max, -Infinity),
  ReduceMin: (call) => reduce(call, Math.min, Infinity),
  ReduceL2: reduceL2,
  TopK: topK,
}

interface Product {
  readonly M: number
  readonly K: number
  readonly N: number
  /** The right side is [N, K]. */
  readonly transposed: boolean
}

function matmul(call: NodeCall, transposed: boolean, alpha: number): Tensor {
  const a = call.operand(0)
  const b = call.operand(1)
  const [K, N] = transposed ? [sizeAt(b.dims, b.dims.length - 1), sizeAt(b.dims, b.dims.length - 2)] : tail(b)
  if (widthOf(a) !== K) throw new Error(`MatMul: ${widthOf(a)} is not ${K}`)
  const batches = b.dims.length > 2 ? sizeOf(b.dims.slice(0, -2)) : 1
  const M = a.data.length / K / batches
  const data = new Float64Array(batches * M * N)
  for (let batch = 0; batch < batches; batch++) {
    const left = a.data.subarray(batch * M * K, (batch + 1) * M * K)
    const right = b.data.subarray(batch * K * N, (batch + 1) * K * N)
    multiply(left, right, data.subarray(batch * M * N, (batch + 1) * M * N), { M, K, N, transposed })
  }
  if (alpha !== 1) for (let i = 0; i < data.length; i++) data[i] = at(data, i) * alpha
  return { dtype: a.dtype, dims: [...a.dims.slice(0, -1), N], data }
}

function gemm(call: NodeCall): Tensor {
  const a = call.operand(0)
  const b = call.operand(1)
  const added = call.optional(2)
  const transposed = call.int('transB', 0) === 1
  const [M, K] = tail(a)
  const N = b.data.length / K
  const data = new Float64Array(M * N)
  multiply(a.data, b.data, data, { M, K, N, transposed })
  if (added !== undefined) {
    // A vector is added to every row.
    const size = added.dims.length === 1 ? N : data.length
    for (let i = 0; i < data.length; i++) data[i] = at(data, i) + at(added.data, i % size)
  }
  return { dtype: a.dtype, dims: [M, N], data }
}

function tail({ dims }: Tensor): [number, number] {
  return [sizeAt(dims, dims.length - 2), sizeAt(dims, dims.length - 1)]
}

/**
 * out [M, N] = a [M, K] · b, the sums in float64; `out` is zeros. Within these loops a call to another file's function would
 * take longer than the sums do.
 */
function multiply(a: Float64Array, b: Float64Array, out: Float64Array, product: Product): void {
  if (product.transposed) multiplyRows(a, b, out, product)
  else multiplyColumns(a, b, out, product)
}

/** Both sides are read along their rows: four of the right for one of the left, so that the left is read less often. */
function multiplyRows(a: Float64Array, b: Float64Array, out: Float64Array, { M, K, N }: Product): void {
  for (let n = 0; n < N; n += 4) {
    const [second, third, fourth] = [1, 2, 3].map((more) => Math.min(n + more, N - 1)) as [
      number,
      number,
      number,
    ]
    for (let m = 0; m < M; m++) {
      let [p, q, r, s] = [0, 0, 0, 0]
      for (let k = 0; k < K; k++) {
        const left = a[m * K + k] as number
        p += left * (b[n * K + k] as number)
        q += left * (b[second * K + k] as number)
        r += left * (b[third * K + k] as number)
        s += left * (b[fourth * K + k] as number)
      }
      out[m * N + n] = p
      out[m * N + second] = q
      out[m * N + third] = r
      out[m * N + fourth] = s
    }
  }
}

/** Rows of the right side are added up, each times one number of the left. */
function multiplyColumns(a: Float64Array, b: Float64Array, out: Float64Array, { M, K, N }: Product): void {
  for (let m = 0; m < M; m++) {
    for (let k = 0; k < K; k++) {
      const factor = a[m * K + k] as number
      for (let n = 0; n < N; n++)
        out[m * N + n] = (out[m * N + n] as number) + factor * (b[k * N + n] as number)
    }
  }
}

/** Over axis 1, dropped or kept with size 1. */
function reduce(call: NodeCall, choose: (a: number, b: number) => number, start: number): Tensor {
  const { dtype, dims, data } = call.operand(0)
  expectAxisOne(call)
  const [B = 0, S = 0, ...rest] = dims
  const width = sizeOf(rest)
  const out = new Float64Array(B * width).fill(start)
  for (let b = 0; b < B; b++) {
    for (let s = 0; s < S; s++) {
      const from = (b * S + s) * width
      for (let i = 0; i < width; i++) out[b * width + i] = choose(at(out, b * width + i), at(data, from + i))
    }
  }
  const kept = call.int('keepdims', 1) === 1 ? [1] : []
  return { dtype, dims: [B, ...kept, ...rest], data: out }
}

/** The one largest along axis 1, kept with size 1, and where it stands: the first of equals. */
function topK(call: NodeCall): Tensor[] {
  const { dtype, dims, data } = call.operand(0)
  const isKnown = call.operand(1).data.join() === '1' && call.int('axis', -1) === 1
  if (!isKnown || call.int('largest', 1) !== 1)
    throw new Error('TopK: only the one largest along axis 1 is known')
  // Of one there is no order.
  call.int('sorted', 1)
  const [B = 0, S = 0, ...rest] = dims
  const width = sizeOf(rest)
  const values = new Float64Array(B * width)
  const places = new Float64Array(B * width)
  for (let i = 0; i < values.length; i++) {
    const first = Math.floor(i / width) * S * width + (i % width)
    let best = 0
    for (let s = 1; s < S; s++) if (at(data, first + s * width) > at(data, first + best * width)) best = s
    values[i] = at(data, first + best * width)
    places[i] = best
  }
  const kept = [B, 1, ...rest]
  return [
    { dtype, dims: kept, data: values },
    { dtype: 'i64', dims: kept, data: places },
  ]
}

/** Over axis 1 of a matrix, kept with size 1. */
function reduceL2(call: NodeCall): Tensor {
  const { dtype, dims, data } = call.operand(0)
  expectAxisOne(call)
  if (call.int('keepdims', 1) !== 1 || dims.length !== 2) throw new Error('ReduceL2: only [B, H] to [B, 1]')
  const [B = 0, H = 0] = dims
  const out = new Float64Array(B)
  for (let b = 0; b < B; b++) {
    let sum = 0
    for (let h = 0; h < H; h++) sum += at(data, b * H + h) ** 2
    out[b] = Math.sqrt(sum)
  }
  return { dtype, dims: [B, 1], data: out }
}

function expectAxisOne(call: NodeCall): void {
  if (call.operand(1).data.join() !== '1') throw new Error('a reduction is known over axis 1 only')
}
