import type { Dim } from '../ir.ts'
import type { Attributes, Fact, OperatorTable, Operands } from './operator.ts'
import { float, intOf, required, same, sameType } from './operator.ts'

export const MATRIX: OperatorTable = {
  MatMul: { domain: '', infer: inferMatMul },
  FusedMatMul: { domain: 'com.microsoft', infer: inferMatMul },
  Gemm: { domain: '', infer: inferGemm },
  ReduceMax: { domain: '', infer: inferReduce },
  ReduceMin: { domain: '', infer: inferReduce },
  ReduceL2: { domain: '', infer: inferReduceL2 },
  // Both outputs are required by ONNX.
  TopK: { domain: '', infer: inferTopK, writesAll: true },
}

/** FusedMatMul can take the last two axes of the right side in the other order. Leading axes must agree. */
function inferMatMul([a, b]: Operands, attributes: Attributes): Fact {
  const left = float(required(a))
  const right = float(required(b))
  const rank = left.shape.length
  if (rank < 2 || (right.shape.length !== 2 && right.shape.length !== rank))
    throw new Error('both sides must be matrices')
  sameType(left, right)
  const axes: Dim[] = right.shape.slice(-2)
  if (intOf(attributes, 'transB', 0) === 1) axes.reverse()
  if (right.shape.length > 2)
    for (let axis = 0; axis < rank - 2; axis++) same(required(left.shape[axis]), required(right.shape[axis]))
  same(required(left.shape.at(-1)), required(axes[0]))
  return { dtype: left.dtype, shape: [...left.shape.slice(0, -1), required(axes[1])] }
}

/** Here always with transB = 1: a linear layer's weight is [out, in]. What is added is a vector, or of the output's shape. */
function inferGemm([x, weight, added]: Operands, attributes: Attributes): Fact {
  const a = float(required(x))
  const b = float(required(weight))
  if (intOf(attributes, 'transB') !== 1) throw new Error('transB must be 1')
  if (a.shape.length !== 2 || b.shape.length !== 2) throw new Error('both sides must be matrices')
  sameType(a, b)
  same(required(a.shape[1]), required(b.shape[1]))
  const shape = [required(a.shape[0]), required(b.shape[0])]
  if (added !== undefined) {
    sameType(a, added)
    if (added.shape.length !== 1 && added.shape.length !== 2)
      throw new Error('what is added must be a vector or a matrix')
    for (const [place, dim] of added.shape.toReversed().entries()) same(dim, required(shape[1 - place]))
  }
  return { dtype: a.dtype, shape }
}

/** Over axis 1, dropped or kept with size 1: the forms in use. */
function inferReduce([x, axes]: Operands, attributes: Attributes): Fact {
  const { dtype, shape } = float(required(x))
  if (required(axes).dtype !== 'i64') throw new Error('the axes must be i64')
  if (shape.length < 2) throw new Error('there is no axis 1')
  if (intOf(attributes, 'keepdims', 1) === 0) return { dtype, shape: shape.filter((_, axis) => axis !== 1) }
  return { dtype, shape: shape.map((dim, axis) => (axis === 1 ? 1 : dim)) }
}

/** Over axis 1 of a matrix, kept with size 1: the form in use. */
function inferReduceL2([x, axes]: Operands, attributes: Attributes): Fact {
  const { dtype, shape } = float(required(x))
  if (required(axes).dtype !== 'i64') throw new Error('the axes must be i64')
  if (intOf(attributes, 'keepdims', 1) !== 1) throw new Error('keepdims must be 1')
  if (shape.length !== 2) throw new Error('it must be a matrix')
  return { dtype, shape: [required(shape[0]), 1] }
}

/** The one greatest along axis 1, kept with size 1, and where it stood: the form in use. */
function inferTopK([x, count]: Operands, attributes: Attributes): Fact[] {
  const { dtype, shape } = float(required(x))
  const one = required(count)
  if (one.dtype !== 'i64' || one.shape.join() !== '1') throw new Error('the count must be i64 [1]')
  if (intOf(attributes, 'axis', -1) !== 1) throw new Error('axis must be 1')
  if (shape.length < 2) throw new Error('there is no axis 1')
  const kept = shape.map((dim, axis) => (axis === 1 ? 1 : dim))
  return [
    { dtype, shape: kept },
    { dtype: 'i64', shape: kept },
  ]
}
