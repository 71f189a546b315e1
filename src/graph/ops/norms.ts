import type { Value } from '../ir.ts'
import type { Attributes, Fact, OperatorTable, Operands } from './operator.ts'
import { float, intOf, required, same, sameType } from './operator.ts'

/** All over the last axis. The simplified form has no mean and no bias: RMSNorm. */
export const NORMS: OperatorTable = {
  LpNormalization: { domain: '', infer: inferLpNormalization },
  LayerNormalization: { domain: '', infer: inferNormalization },
  // ONNX Runtime registers it in the standard domain, though the standard does not know it.
  SimplifiedLayerNormalization: { domain: '', infer: inferNormalization },
  SkipLayerNormalization: { domain: 'com.microsoft', infer: inferSkipNormalization },
  SkipSimplifiedLayerNormalization: { domain: 'com.microsoft', infer: inferSkipSimplified },
}

function inferLpNormalization([x]: Operands, attributes: Attributes): Fact {
  if (intOf(attributes, 'axis', -1) !== -1) throw new Error('axis must be -1')
  return float(required(x))
}

function inferNormalization([x, weight, bias]: Operands): Fact {
  const value = float(required(x))
  expectVectors(value, [weight, bias])
  return value
}

/** Inputs x, residual, weight, norm bias, bias of x: outputs norm(sum), its mean and inverse deviation, and the sum. */
function inferSkipNormalization([x, residual, weight, normBias, bias]: Operands): Fact[] {
  return inferSkip([x, residual], [weight, normBias, bias])
}

/** The same without the norm's own bias. */
function inferSkipSimplified([x, residual, weight, bias]: Operands): Fact[] {
  return inferSkip([x, residual], [weight, bias])
}

function inferSkip([x, residual]: Operands, vectors: Operands): Fact[] {
  const value = float(required(x))
  const other = required(residual)
  sameType(value, other)
  if (other.shape.length !== value.shape.length) throw new Error('ranks differ')
  value.shape.forEach((dim, axis) => same(dim, required(other.shape[axis])))
  expectVectors(value, vectors)
  const statistics: Fact = { dtype: 'f32', shape: [...value.shape.slice(0, -1), 1] }
  return [value, statistics, statistics, value]
}

function expectVectors(value: Value, vectors: Operands): void {
  const width = required(value.shape.at(-1))
  for (const vector of vectors) {
    if (vector === undefined) continue
    sameType(value, vector)
    if (vector.shape.length !== 1) throw new Error('weight and bias must be vectors')
    same(required(vector.shape[0]), width)
  }
}
