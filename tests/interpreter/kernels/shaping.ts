import type { KernelTable, NodeCall } from '../node-call.ts'
import type { Tensor } from '../tensor.ts'
import { at, sizeAt, sizeOf, widthOf } from '../tensor.ts'
import { spread } from './elementwise.ts'

export const SHAPING: KernelTable = {
  Gather: gather,
  GatherElements: gatherElements,
  Concat: concat,
  Split: split,
  Reshape: reshape,
  Transpose: transpose,
  Expand: expand,
}

function gather(call: NodeCall): Tensor {
  const table = call.operand(0)
  const indices = call.operand(1)
  const axis = call.int('axis', 0)
  const rows = sizeAt(table.dims, axis)
  const [before, rest] = [table.dims.slice(0, axis), table.dims.slice(axis + 1)]
  const [blocks, width] = [sizeOf(before), sizeOf(rest)]
  const data = new Float64Array(blocks * indices.data.length * width)
  for (let block = 0, to = 0; block < blocks; block++) {
    for (const index of indices.data) {
      const row = block * rows + within('Gather', index, rows)
      data.set(table.data.subarray(row * width, (row + 1) * width), to)
      to += width
    }
  }
  return { dtype: table.dtype, dims: [...before, ...indices.dims, ...rest], data }
}

function gatherElements(call: NodeCall): Tensor {
  const from = call.operand(0)
  const indices = call.operand(1)
  if (call.int('axis', 0) !== from.dims.length - 1)
    throw new Error('GatherElements: only the last axis is known')
  const [width, count] = [widthOf(from), widthOf(indices)]
  const data = indices.data.map((index, i) => {
    const row = Math.floor(i / count)
    return at(from.data, row * width + within('GatherElements', index, width))
  })
  return { dtype: from.dtype, dims: indices.dims, data }
}

/** Negative indices count from the end. An index outside is a fault: a GPU would read some other memory. */
function within(op: string, index: number, size: number): number {
  const place = index < 0 ? index + size : index
  if (place >= 0 && place < size) return place
  throw new Error(`${op}: index ${index} is outside of ${size}`)
}

function concat(call: NodeCall): Tensor {
  const axis = call.int('axis')
  const parts = Array.from({ length: call.operandCount }, (_, index) => call.operand(index))
  const first = parts[0] as Tensor
  const dims = first.dims.with(
    axis,
    parts.reduce((sum, part) => sum + sizeAt(part.dims, axis), 0),
  )
  const data = new Float64Array(sizeOf(dims))
  const blocks = sizeOf(dims.slice(0, axis))
  for (let block = 0, to = 0; block < blocks; block++) {
    for (const part of parts) {
      const length = part.data.length / blocks
      data.set(part.data.subarray(block * length, (block + 1) * length), to)
      to += length
    }
  }
  return { dtype: first.dtype, dims, data }
}

function split(call: NodeCall): Tensor[] {
  const { dtype, dims, data } = call.operand(0)
  const axis = call.int('axis', 0)
  const count = call.int('num_outputs')
  const part = dims.with(axis, sizeAt(dims, axis) / count)
  const blocks = sizeOf(dims.slice(0, axis))
  const length = sizeOf(part) / blocks
  return Array.from({ length: count }, (_, index) => {
    const out = new Float64Array(sizeOf(part))
    for (let block = 0; block < blocks; block++) {
      const from = (block * count + index) * length
      out.set(data.subarray(from, from + length), block * length)
    }
    return { dtype, dims: part, data: out }
  })
}

/** By the sizes that ONNX Runtime is given, not by what the node declares: 0 keeps an axis, −1 takes what is left. */
function reshape(call: NodeCall): Tensor {
  const x = call.operand(0)
  const sizes = [...call.operand(1).data].map((size, axis) => (size === 0 ? sizeAt(x.dims, axis) : size))
  const known = sizeOf(sizes.filter((size) => size !== -1))
  return { ...x, dims: sizes.map((size) => (size === -1 ? x.data.length / known : size)) }
}

function transpose(call: NodeCall): Tensor {
  const { dtype, dims, data } = call.operand(0)
  const order = call.ints('perm')
  const steps = dims.map((_, axis) => sizeOf(dims.slice(axis + 1)))
  const to = order.map((axis) => sizeAt(dims, axis))
  const out = new Float64Array(data.length)
  for (let i = 0; i < out.length; i++) {
    let from = 0
    for (let axis = to.length - 1, rest = i; axis >= 0; axis--) {
      from += (rest % sizeAt(to, axis)) * sizeAt(steps, sizeAt(order, axis))
      rest = Math.floor(rest / sizeAt(to, axis))
    }
    out[i] = at(data, from)
  }
  return { dtype, dims: to, data: out }
}

/** By the sizes that ONNX Runtime is given; an axis of 1 there keeps the one of the operand. */
function expand(call: NodeCall): Tensor {
  const x = call.operand(0)
  const sizes = [...call.operand(1).data]
  const rank = Math.max(sizes.length, x.dims.length)
  const dims = Array.from({ length: rank }, (_, axis) =>
    Math.max(sizes[axis - rank + sizes.length] ?? 1, x.dims[axis - rank + x.dims.length] ?? 1),
  )
  return { dtype: x.dtype, dims, data: spread(x, dims) }
}
