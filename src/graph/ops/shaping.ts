import type { Dim, Value } from '../ir.ts'
import { formatShape } from '../ir.ts'
import type { Attributes, Fact, OperatorTable, Operands } from './operator.ts'
import { factors, intOf, required, same } from './operator.ts'

export const SHAPING: OperatorTable = {
  Gather: { domain: '', infer: inferGather },
  GatherElements: { domain: '', infer: inferGatherElements },
  Concat: { domain: '', infer: inferConcat },
  Split: { domain: '', infer: inferSplit, writesAll: true },
  Reshape: { domain: '', infer: inferReshape },
  Transpose: { domain: '', infer: inferTranspose },
  Expand: { domain: '', infer: inferExpand },
}

/** Along the first axis or the second: the forms in use. */
function inferGather([table, indices]: Operands, attributes: Attributes): Fact {
  const axis = intOf(attributes, 'axis', 0)
  if (axis !== 0 && axis !== 1) throw new Error('axis must be 0 or 1')
  const { dtype, shape } = required(table)
  const index = required(indices)
  if (index.dtype !== 'i32' && index.dtype !== 'i64')
    throw new Error(`indices are ${index.dtype}, not integers`)
  if (shape.length <= axis) throw new Error(`the table has no axis ${axis}`)
  return { dtype, shape: [...shape.slice(0, axis), ...index.shape, ...shape.slice(axis + 1)] }
}

/** Along the last axis: the form in use. */
function inferGatherElements([data, indices]: Operands, attributes: Attributes): Fact {
  const from = required(data)
  const index = required(indices)
  if (intOf(attributes, 'axis', 0) !== from.shape.length - 1) throw new Error('axis must be the last')
  if (index.dtype !== 'i32' && index.dtype !== 'i64')
    throw new Error(`indices are ${index.dtype}, not integers`)
  if (index.shape.length !== from.shape.length) throw new Error('ranks differ')
  for (const [axis, dim] of index.shape.slice(0, -1).entries()) same(dim, required(from.shape[axis]))
  return { dtype: from.dtype, shape: index.shape }
}

function inferConcat(operands: Operands, attributes: Attributes): Fact {
  const values = operands.map(required)
  const first = required(values[0])
  const axis = intOf(attributes, 'axis')
  if (axis < 0 || axis >= first.shape.length) throw new Error(`there is no axis ${axis}`)
  let total = 0
  for (const value of values) {
    if (value.dtype !== first.dtype) throw new Error(`${first.dtype} and ${value.dtype} do not mix`)
    if (value.shape.length !== first.shape.length) throw new Error('ranks differ')
    value.shape.forEach((dim, i) => {
      if (i !== axis) same(dim, required(first.shape[i]))
      else if (typeof dim === 'number') total += dim
      else throw new Error(`axis ${axis} is ${dim}, not a fixed size`)
    })
  }
  return { dtype: first.dtype, shape: first.shape.map((dim, i) => (i === axis ? total : dim)) }
}

/** Into `num_outputs` equal parts. */
function inferSplit([x]: Operands, attributes: Attributes): Fact[] {
  const { dtype, shape } = required(x)
  const axis = intOf(attributes, 'axis', 0)
  const count = intOf(attributes, 'num_outputs')
  const size = required(shape[axis])
  if (typeof size !== 'number' || size % count !== 0)
    throw new Error(`${size} does not split into ${count} parts`)
  const part = shape.map((dim, i) => (i === axis ? size / count : dim))
  return Array.from({ length: count }, () => ({ dtype, shape: part }))
}

function inferReshape([x]: Operands, _: Attributes, declared: Value | undefined): Fact {
  const from = required(x)
  const to = required(declared).shape
  if (factors(from.shape) !== factors(to)) throw new Error(`has not the elements of ${formatShape(to)}`)
  return { dtype: from.dtype, shape: to }
}

function inferTranspose([x]: Operands, attributes: Attributes): Fact {
  const { dtype, shape } = required(x)
  const order = attributes['perm']
  if (order === undefined || !('ints' in order)) throw new Error('attribute perm is missing')
  const axes = order.ints
  if (axes.toSorted((a, b) => a - b).join() !== shape.map((_, axis) => axis).join())
    throw new Error(`${axes.join()} is no order of ${shape.length} axes`)
  return { dtype, shape: axes.map((axis) => shape[axis] as Dim) }
}

/** To the shape that the node declares: each axis keeps its size or grows from 1. */
function inferExpand([x]: Operands, _: Attributes, declared: Value | undefined): Fact {
  const { dtype, shape } = required(x)
  const to = required(declared).shape
  if (to.length !== shape.length) throw new Error('ranks differ')
  for (const [axis, dim] of shape.entries()) if (dim !== 1) same(dim, required(to[axis]))
  return { dtype, shape: to }
}
