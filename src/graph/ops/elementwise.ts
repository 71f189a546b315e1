import type { Dim, Dtype, Shape, Value } from '../ir.ts'
import { ONNX_TYPES } from '../ir.ts'
import type { Attributes, Fact, OperatorTable, Operands } from './operator.ts'
import { float, intOf, numeric, required, same, sameType } from './operator.ts'

export const ELEMENTWISE: OperatorTable = {
  Add: { domain: '', infer: arithmetic },
  Sub: { domain: '', infer: arithmetic },
  Mul: { domain: '', infer: arithmetic },
  Div: { domain: '', infer: arithmetic },
  Max: { domain: '', infer: inferMax },
  LessOrEqual: { domain: '', infer: compare },
  Equal: { domain: '', infer: compare },
  Where: { domain: '', infer: inferWhere },
  Abs: { domain: '', infer: same1 },
  Neg: { domain: '', infer: same1 },
  Clip: { domain: '', infer: inferClip },
  Sqrt: { domain: '', infer: unary },
  Log: { domain: '', infer: unary },
  Cos: { domain: '', infer: unary },
  Sin: { domain: '', infer: unary },
  Relu: { domain: '', infer: unary },
  LeakyRelu: { domain: '', infer: unary },
  Elu: { domain: '', infer: unary },
  Selu: { domain: '', infer: unary },
  Softplus: { domain: '', infer: unary },
  Tanh: { domain: '', infer: unary },
  Sigmoid: { domain: '', infer: unary },
  Softmax: { domain: '', infer: lastAxis },
  Gelu: { domain: '', infer: unary },
  QuickGelu: { domain: 'com.microsoft', infer: unary },
  BiasGelu: { domain: 'com.microsoft', infer: inferBiased },
  FastGelu: { domain: 'com.microsoft', infer: inferBiased },
  Cast: { domain: '', infer: inferCast },
}

function unary([x]: Operands): Fact {
  return float(required(x))
}

/** Integers too. */
function same1([x]: Operands): Fact {
  return numeric(required(x))
}

function lastAxis([x]: Operands, attributes: Attributes): Fact {
  if (intOf(attributes, 'axis', -1) !== -1) throw new Error('axis must be -1')
  return float(required(x))
}

/** Bounds are scalars of the same type; either may be left out. */
function inferClip([x, ...bounds]: Operands): Fact {
  const value = numeric(required(x))
  for (const bound of bounds) {
    if (bound === undefined) continue
    sameType(value, bound)
    if (bound.shape.length > 0) throw new Error('a bound must be a scalar')
  }
  return value
}

/** gelu(x + bias), the bias over the last axis. */
function inferBiased([x, bias]: Operands): Fact {
  const value = float(required(x))
  if (bias !== undefined) {
    sameType(value, bias)
    if (bias.shape.length !== 1) throw new Error('the bias must be a vector')
    same(required(bias.shape[0]), required(value.shape.at(-1)))
  }
  return value
}

function inferCast([x]: Operands, attributes: Attributes): Fact {
  const type = intOf(attributes, 'to')
  const dtype = (Object.keys(ONNX_TYPES) as Dtype[]).find((candidate) => ONNX_TYPES[candidate] === type)
  if (dtype === undefined) throw new Error(`cannot cast to ONNX type ${type}`)
  return { dtype, shape: required(x).shape }
}

function broadcast([left, right]: Operands): Fact {
  const a = required(left)
  const b = required(right)
  sameType(a, b)
  return { dtype: a.dtype, shape: broadcastShapes(a, b) }
}

function arithmetic([left, right]: Operands): Fact {
  return broadcast([numeric(required(left)), right])
}

/** Of any number of operands. */
function inferMax(operands: Operands): Fact {
  return operands
    .map((operand) => numeric(required(operand)))
    .reduce((a, b) => ({ name: b.name, ...broadcast([a, b]) }))
}

function compare([left, right]: Operands): Fact {
  return { ...broadcast([numeric(required(left)), right]), dtype: 'bool' }
}

function inferWhere([condition, left, right]: Operands): Fact {
  const test = required(condition)
  if (test.dtype !== 'bool') throw new Error(`the condition is ${test.dtype}, not bool`)
  const chosen = broadcast([left, right])
  return { dtype: chosen.dtype, shape: broadcastShapes(test, chosen) }
}

/** NumPy broadcasting, aligned at the last axis. */
function broadcastShapes(a: Pick<Value, 'shape'>, b: Pick<Value, 'shape'>): Shape {
  const rank = Math.max(a.shape.length, b.shape.length)
  const shape: Dim[] = []
  for (let axis = 0; axis < rank; axis++) {
    const p = a.shape[axis - rank + a.shape.length] ?? 1
    const q = b.shape[axis - rank + b.shape.length] ?? 1
    if (p !== q && p !== 1 && q !== 1) throw new Error(`${p} and ${q} do not broadcast`)
    shape.push(p === 1 ? q : p)
  }
  return shape
}
