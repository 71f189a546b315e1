/** Every operator that our graphs use, with the shape rule that catches a wrong graph when it is built. */
import { ServerError, messageOf } from '../errors.ts'
import type { Value } from './ir.ts'
import { formatShape } from './ir.ts'
import { ATTENTION } from './ops/attention.ts'
import { ELEMENTWISE } from './ops/elementwise.ts'
import { MATRIX } from './ops/matrix.ts'
import { NORMS } from './ops/norms.ts'
import type { Attributes, Fact, OperatorTable, Operands } from './ops/operator.ts'
import { QUANTIZED } from './ops/quantized.ts'
import { SHAPING } from './ops/shaping.ts'

export const OPERATORS: OperatorTable = {
  ...ELEMENTWISE,
  ...SHAPING,
  ...MATRIX,
  ...NORMS,
  ...ATTENTION,
  ...QUANTIZED,
}

/** Dtype and shape of each output of a node, the first first; throws `graph_invalid` where the operands do not fit. */
export function inferOutputs(
  op: string,
  operands: Operands,
  attributes: Attributes,
  declared?: Value,
): readonly Fact[] {
  const operator = OPERATORS[op]
  if (operator === undefined) throw new ServerError('graph_invalid', `operator ${op} is not in the table`)
  try {
    const made = operator.infer(operands, attributes, declared)
    return [made].flat().map(({ dtype, shape }) => ({ dtype, shape }))
  } catch (error) {
    const shapes = operands.map((value) =>
      value ? `${value.name}: ${value.dtype}${formatShape(value.shape)}` : '–',
    )
    throw new ServerError('graph_invalid', `${op}(${shapes.join(', ')}): ${messageOf(error)}`, {
      cause: error,
    })
  }
}
