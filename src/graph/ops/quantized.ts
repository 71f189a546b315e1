/** Products with weights of 8 bits. All are kernels of the CPU provider. */
import type { Value } from '../ir.ts'
import type { Fact, OperatorTable, Operands } from './operator.ts'
import { required, same } from './operator.ts'

export const QUANTIZED: OperatorTable = {
  QuantizeLinear: { domain: '', infer: inferQuantize },
  DequantizeLinear: { domain: '', infer: inferDequantize },
  DynamicQuantizeMatMul: { domain: 'com.microsoft', infer: inferDynamic },
  MatMulIntegerToFloat: { domain: 'com.microsoft', infer: inferInteger },
}

/** clip(round(x / step) + zero, 0, 255), one step and one zero for all: the form in use. */
function inferQuantize([x, step, zero]: Operands): Fact {
  const { shape } = typed(x, 'f32')
  expectSteps(step, zero)
  return { dtype: 'u8', shape }
}

/** (codes − zero) · step */
function inferDequantize([codes, step, zero]: Operands): Fact {
  const { shape } = typed(codes, 'u8')
  expectSteps(step, zero)
  return { dtype: 'f32', shape }
}

/** x · (codes · scales) + bias, of codes [K, N]; x becomes codes of its own, with one step and one zero for all of it. */
function inferDynamic([x, codes, scales, zeros, bias]: Operands): Fact {
  return inferProduct(typed(x, 'f32'), [codes, scales, zeros, bias])
}

/** (x − zero) · step · (codes · scales) + bias, of x in codes already. */
function inferInteger([x, codes, step, scales, zero, zeros, bias]: Operands): Fact {
  expectSteps(step, zero)
  return inferProduct(typed(x, 'u8'), [codes, scales, zeros, bias])
}

function inferProduct(x: Value, [codes, scales, zeros, bias]: Operands): Fact {
  const { shape } = typed(codes, 'i8')
  if (x.shape.length !== 2 || shape.length !== 2) throw new Error('both sides must be matrices')
  if (zeros !== undefined) throw new Error("the weight's codes must have no zero points")
  same(required(x.shape[1]), required(shape[0]))
  for (const vector of bias === undefined ? [scales] : [scales, bias]) {
    const value = typed(vector, 'f32')
    if (value.shape.length !== 1) throw new Error('scales and bias must be vectors')
    same(required(value.shape[0]), required(shape[1]))
  }
  return { dtype: 'f32', shape: [required(x.shape[0]), required(shape[1])] }
}

function expectSteps(step: Value | undefined, zero: Value | undefined): void {
  for (const value of [typed(step, 'f32'), typed(zero, 'u8')])
    if (value.shape.length > 0) throw new Error(`${value.name} must be a scalar`)
}

function typed(operand: Value | undefined, dtype: Value['dtype']): Value {
  const value = required(operand)
  if (value.dtype !== dtype) throw new Error(`${value.name} is ${value.dtype}, not ${dtype}`)
  return value
}
