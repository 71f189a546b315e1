/** A mixture of experts, all of them computed for every token: those not chosen are multiplied by zero. */
import type { TensorRef } from '../../model/spec.ts'
import type { Value } from '../ir.ts'
import type { InputMajorLinear, Linear, Matrix } from '../tensor-table.ts'
import type { ExpertsPlan } from './encoder-plan.ts'
import type { Workshop } from './encoder.ts'

/** [T, H] to [T, E·I]: what the experts make of each token, times the weight that the router gives them. */
export function raiseByExperts(shop: Workshop, x: Value, plan: ExpertsPlan, H: number): Value {
  const { b, kernels, tensors } = shop
  const { experts: E, width: I, activation } = plan
  const up: Linear = { weight: plainMatrix(tensors.tensor(plan.up, [E * I, H])), bias: undefined }
  const raised = b.reshape(kernels.linear(b, x, up, activation), ['T', E, I])
  const shares = b.cast(b.reshape(routerShares(shop, x, plan, H), ['T', E, 1]), kernels.dtype)
  return b.reshape(b.node('Mul', [raised, shares]), ['T', E * I])
}

/** [T, E·I] to [T, H]: the sum over the experts is part of the product, and the bias is added once. */
export function lowerByExperts({ tensors }: Workshop, plan: ExpertsPlan, H: number): InputMajorLinear {
  const weight = plainMatrix(tensors.tensor(plan.down, [plan.experts * plan.width, H]))
  return { weight, bias: tensors.tensor(plan.bias, [H]), inputMajor: true }
}

/**
 * [T, E]: the greatest `chosen` probabilities as they are, zero for the rest. In float32 whatever the body is computed in:
 * where two experts are nearly as good, rounding would choose another.
 */
function routerShares(
  { b, tensors, headKernels }: Workshop,
  x: Value,
  { experts: E, chosen, router }: ExpertsPlan,
  H: number,
): Value {
  const logits = headKernels.linear(b, b.cast(x, 'f32'), tensors.linear(router, E, H), 'identity')
  let rest = b.node('Softmax', [logits], { axis: { int: -1 } })
  const [none, taken] = [0, -1].map((value) => b.constant(Float32Array.of(value), []))
  const one = b.constant(BigInt64Array.of(1n), [1])
  const indices = b.constant(
    BigInt64Array.from({ length: E }, (_, index) => BigInt(index)),
    [1, E],
  )
  let shares = none
  for (let turn = 0; turn < chosen; turn++) {
    const [greatest, index] = b.outputs('TopK', [rest, one], { axis: { int: 1 } })
    const isGreatest = b.node('Equal', [index, indices])
    shares = b.node('Where', [isGreatest, greatest, shares])
    rest = b.node('Where', [isGreatest, taken, rest])
  }
  return shares as Value
}

function plainMatrix(values: TensorRef): Matrix {
  return { values, scale: undefined }
}
