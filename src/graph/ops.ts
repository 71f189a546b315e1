/** Every operator that our graphs use, with the shape rule that catches a wrong graph when it is built. */
import { ServerError, messageOf } from '../errors.ts'
import type { Attribute, Dim, Dtype, Shape, Value } from './ir.ts'
import { ONNX_TYPES, formatShape } from './ir.ts'

export type Attributes = Readonly<Record<string, Attribute>>
type Operands = readonly (Value | undefined)[]

interface Operator {
  readonly domain: '' | 'com.microsoft'
  /** The output's dtype and shape; throws where operands do not fit. `declared` is what the node says it makes. */
  readonly infer: (
    operands: Operands,
    attributes: Attributes,
    declared: Value | undefined,
  ) => Omit<Value, 'name'>
}

export const OPERATORS: Readonly<Record<string, Operator>> = {
  Add: { domain: '', infer: broadcast },
  Mul: { domain: '', infer: broadcast },
  Relu: { domain: '', infer: unary },
  Tanh: { domain: '', infer: unary },
  Sigmoid: { domain: '', infer: unary },
  Softmax: { domain: '', infer: lastAxis },
  Gelu: { domain: '', infer: unary },
  QuickGelu: { domain: 'com.microsoft', infer: unary },
  LpNormalization: { domain: '', infer: lastAxis },
  Cast: { domain: '', infer: inferCast },
  Gather: { domain: '', infer: inferGather },
  Concat: { domain: '', infer: inferConcat },
  Reshape: { domain: '', infer: inferReshape },
  MatMul: { domain: '', infer: inferMatMul },
  Gemm: { domain: '', infer: inferGemm },
  ReduceMax: { domain: '', infer: inferReduceMax },
  ReduceL2: { domain: '', infer: inferReduceL2 },
  LayerNormalization: { domain: '', infer: inferLayerNormalization },
  MultiHeadAttention: { domain: 'com.microsoft', infer: inferMultiHeadAttention },
  GroupQueryAttention: { domain: 'com.microsoft', infer: inferGroupQueryAttention },
}

/** Dtype and shape of what a node makes; throws `graph_invalid` where the operands do not fit. */
export function inferOutput(op: string, operands: Operands, attributes: Attributes, declared?: Value) {
  const operator = OPERATORS[op]
  if (operator === undefined) throw new ServerError('graph_invalid', `operator ${op} is not in the table`)
  try {
    const { dtype, shape } = operator.infer(operands, attributes, declared)
    return { dtype, shape }
  } catch (error) {
    const shapes = operands.map((value) =>
      value ? `${value.name}: ${value.dtype}${formatShape(value.shape)}` : '–',
    )
    throw new ServerError('graph_invalid', `${op}(${shapes.join(', ')}): ${messageOf(error)}`, {
      cause: error,
    })
  }
}

function unary([x]: Operands): Omit<Value, 'name'> {
  return float(required(x))
}

function lastAxis([x]: Operands, attributes: Attributes): Omit<Value, 'name'> {
  if (intOf(attributes, 'axis', -1) !== -1) throw new Error('axis must be -1')
  return float(required(x))
}

function inferCast([x]: Operands, attributes: Attributes): Omit<Value, 'name'> {
  const type = intOf(attributes, 'to')
  const dtype = (Object.keys(ONNX_TYPES) as Dtype[]).find((candidate) => ONNX_TYPES[candidate] === type)
  if (dtype === undefined) throw new Error(`cannot cast to ONNX type ${type}`)
  return { dtype, shape: required(x).shape }
}

/** NumPy broadcasting, aligned at the last axis. */
function broadcast([left, right]: Operands): Omit<Value, 'name'> {
  const a = required(left)
  const b = required(right)
  if (a.dtype !== b.dtype) throw new Error(`${a.dtype} and ${b.dtype} do not mix`)
  const rank = Math.max(a.shape.length, b.shape.length)
  const shape: Dim[] = []
  for (let axis = 0; axis < rank; axis++) {
    const p = a.shape[axis - rank + a.shape.length] ?? 1
    const q = b.shape[axis - rank + b.shape.length] ?? 1
    if (p !== q && p !== 1 && q !== 1) throw new Error(`${p} and ${q} do not broadcast`)
    shape.push(p === 1 ? q : p)
  }
  return { dtype: a.dtype, shape }
}

function inferGather([table, indices]: Operands, attributes: Attributes): Omit<Value, 'name'> {
  if (intOf(attributes, 'axis', 0) !== 0) throw new Error('axis must be 0')
  const { dtype, shape } = required(table)
  const index = required(indices)
  if (index.dtype !== 'i32' && index.dtype !== 'i64')
    throw new Error(`indices are ${index.dtype}, not integers`)
  if (shape.length === 0) throw new Error('the table has no axis')
  return { dtype, shape: [...index.shape, ...shape.slice(1)] }
}

function inferConcat(operands: Operands, attributes: Attributes): Omit<Value, 'name'> {
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

function inferReshape([x]: Operands, _: Attributes, declared: Value | undefined): Omit<Value, 'name'> {
  const from = required(x)
  const to = required(declared).shape
  if (factors(from.shape) !== factors(to)) throw new Error(`has not the elements of ${formatShape(to)}`)
  return { dtype: from.dtype, shape: to }
}

function inferMatMul([a, b]: Operands): Omit<Value, 'name'> {
  const left = float(required(a))
  const right = float(required(b))
  if (left.shape.length !== 2 || right.shape.length !== 2) throw new Error('both sides must be matrices')
  sameType(left, right)
  same(required(left.shape[1]), required(right.shape[0]))
  return { dtype: left.dtype, shape: [required(left.shape[0]), required(right.shape[1])] }
}

/** Here always with transB = 1: a linear layer's weight is [out, in]. */
function inferGemm([x, weight, bias]: Operands, attributes: Attributes): Omit<Value, 'name'> {
  const a = float(required(x))
  const b = float(required(weight))
  if (intOf(attributes, 'transB') !== 1) throw new Error('transB must be 1')
  if (a.shape.length !== 2 || b.shape.length !== 2) throw new Error('both sides must be matrices')
  sameType(a, b)
  same(required(a.shape[1]), required(b.shape[1]))
  const out = required(b.shape[0])
  if (bias !== undefined) {
    sameType(a, bias)
    if (bias.shape.length !== 1) throw new Error('the bias must be a vector')
    same(required(bias.shape[0]), out)
  }
  return { dtype: a.dtype, shape: [required(a.shape[0]), out] }
}

/** Over axis 1, dropped: the form in use. */
function inferReduceMax([x, axes]: Operands, attributes: Attributes): Omit<Value, 'name'> {
  const { dtype, shape } = float(required(x))
  if (required(axes).dtype !== 'i64') throw new Error('the axes must be i64')
  if (intOf(attributes, 'keepdims', 1) !== 0) throw new Error('keepdims must be 0')
  if (shape.length < 2) throw new Error('there is no axis 1')
  return { dtype, shape: shape.filter((_, axis) => axis !== 1) }
}

/** Over axis 1 of a matrix, kept with size 1: the form in use. */
function inferReduceL2([x, axes]: Operands, attributes: Attributes): Omit<Value, 'name'> {
  const { dtype, shape } = float(required(x))
  if (required(axes).dtype !== 'i64') throw new Error('the axes must be i64')
  if (intOf(attributes, 'keepdims', 1) !== 1) throw new Error('keepdims must be 1')
  if (shape.length !== 2) throw new Error('it must be a matrix')
  return { dtype, shape: [required(shape[0]), 1] }
}

function inferLayerNormalization([x, weight, bias]: Operands): Omit<Value, 'name'> {
  const value = float(required(x))
  const width = required(value.shape.at(-1))
  for (const vector of [weight, bias]) {
    if (vector === undefined) continue
    sameType(value, vector)
    if (vector.shape.length !== 1) throw new Error('weight and bias must be vectors')
    same(required(vector.shape[0]), width)
  }
  return value
}

/** Packed query [B, S, (N + 2 Nkv) D] in, [B, S, N D] out. */
function inferGroupQueryAttention(operands: Operands, attributes: Attributes): Omit<Value, 'name'> {
  const query = float(required(operands[0]))
  const heads = intOf(attributes, 'num_heads')
  const keyHeads = intOf(attributes, 'kv_num_heads')
  const [rows, length, width] = query.shape
  if (query.shape.length !== 3 || typeof width !== 'number')
    throw new Error('the query must be [B, S, width]')
  if (heads % keyHeads !== 0) throw new Error(`${heads} heads are no multiple of ${keyHeads}`)
  const headWidth = width / (heads + 2 * keyHeads)
  if (!Number.isInteger(headWidth))
    throw new Error(`${width} does not split into ${heads} + 2 × ${keyHeads} heads`)
  expectLengths(operands[5], required(rows))
  if (required(operands[6]).dtype !== 'i32') throw new Error('total_sequence_length must be i32')
  return { dtype: query.dtype, shape: [required(rows), required(length), heads * headWidth] }
}

/** Query, key and value of [B, S, N·D] each, and the length of each row as key padding mask. */
function inferMultiHeadAttention(
  [query, key, value, , lengths]: Operands,
  attributes: Attributes,
): Omit<Value, 'name'> {
  const shape = float(required(query)).shape
  if (shape.length !== 3) throw new Error('the query must be [B, S, width]')
  for (const other of [required(key), required(value)]) {
    sameType(required(query), other)
    shape.forEach((dim, i) => same(dim, required(other.shape[i])))
  }
  if ((shape[2] as number) % intOf(attributes, 'num_heads') !== 0)
    throw new Error('the width does not split into heads')
  expectLengths(lengths, required(shape[0]))
  return required(query)
}

/** One length for each row. */
function expectLengths(lengths: Value | undefined, rows: Dim): void {
  const { dtype, shape } = required(lengths)
  if (dtype !== 'i32' || shape.length !== 1) throw new Error('the lengths must be an i32 vector')
  same(required(shape[0]), rows)
}

function float(value: Value): Value {
  if (value.dtype.startsWith('i')) throw new Error(`${value.name} is ${value.dtype}, not floating`)
  return value
}

function sameType(a: Value, b: Value): void {
  if (a.dtype !== b.dtype) throw new Error(`${a.dtype} and ${b.dtype} do not mix`)
}

function same(a: Dim, b: Dim): void {
  if (a !== b) throw new Error(`${a} is not ${b}`)
}

function required<X>(value: X | undefined): X {
  if (value === undefined) throw new Error('an operand or a dimension is missing')
  return value
}

/** `fallback`: what ONNX assumes where the attribute is left out. */
function intOf(attributes: Attributes, name: string, fallback?: number): number {
  const attribute = attributes[name]
  if (attribute !== undefined && 'int' in attribute) return attribute.int
  if (attribute === undefined && fallback !== undefined) return fallback
  throw new Error(`attribute ${name} is missing`)
}

/** The product of all dimensions in a form that two shapes can be compared by: `384·B·S`. */
function factors(shape: Shape): string {
  let product = 1
  const letters: string[] = []
  for (const dim of shape) {
    if (typeof dim === 'number') product *= dim
    else letters.push(...dim.split('*'))
  }
  return [product, ...letters.sort()].join('·')
}
