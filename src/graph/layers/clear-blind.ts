import type { GraphBuilder } from '../builder.ts'
import type { Value } from '../ir.ts'

/** 0 in place of what attention [T, ·] gives a token whose window holds no token that may be seen, as PyTorch has it. */
export function clearBlind(b: GraphBuilder, context: Value, window: number): Value {
  const factors = b.share(`sees within ${window} as ${context.dtype}`, () => {
    const near = b.node('LessOrEqual', [b.input('unseen_distances'), b.constant(Int32Array.of(window), [])])
    const values = [1, 0].map((value) => b.constant(Float32Array.of(value), []))
    return b.cast(b.reshape(b.node('Where', [near, ...values]), ['T', 1]), context.dtype)
  })
  return b.node('Mul', [context, factors])
}
