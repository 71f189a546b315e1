/** A convolution over the tokens of each row: neighbours are gathered side by side, and the rest is a linear layer. */
import type { GraphBuilder } from '../builder.ts'
import type { Value } from '../ir.ts'
import type { ConvolutionPlan } from './encoder-plan.ts'
import type { Workshop } from './encoder.ts'

/** norm(residual + activation(convolution(x))), of x and residual [T, H]. */
export function convolve(
  { b, kernels, tensors }: Workshop,
  { name, size, activation, norm }: ConvolutionPlan,
  x: Value,
  residual: Value,
): Value {
  const H = x.shape[1] as number
  const reach = (size - 1) / 2
  const neighbours = Array.from({ length: size }, (_, k) =>
    b.reshape(neighbour(b, x, k - reach), ['T', H, 1]),
  )
  // The weight lies as [out, in, size]: neighbours stand in the last place.
  const spread = b.reshape(b.concat(neighbours, 2), ['T', H * size])
  const stored = tensors.tensor(`${name}.weight`, [H, H, size])
  const weight = { values: { ...stored, shape: [H, H * size] }, scale: undefined }
  const bias = tensors.tensor(`${name}.bias`, [H])
  const step = kernels.linear(b, spread, { weight, bias }, activation)
  return kernels.addNorm(b, step, residual, tensors.norm(norm, H)).normed
}

/** Of each token the one `offset` places after it: zeros where its row has none. */
function neighbour(b: GraphBuilder, x: Value, offset: number): Value {
  if (offset === 0) return x
  const isThere = b.share(`has neighbour ${offset}`, () => {
    const away = b.constant(Int32Array.of(Math.abs(offset)), [])
    return b.node('LessOrEqual', [away, offset < 0 ? b.input('positions') : following(b)])
  })
  const place = b.share(`neighbour ${offset}`, () => {
    const own = b.share('packed places', () =>
      b.gather(b.reshape(b.input('padded_rows'), ['B*S']), b.input('packed_rows')),
    )
    const there = b.node('Add', [own, b.constant(Int32Array.of(offset), [])])
    return b.node('Where', [isThere, there, own])
  })
  const zero = b.cast(b.constant(Float32Array.of(0), []), x.dtype)
  return b.node('Where', [b.reshape(isThere, ['T', 1]), b.gather(x, place), zero])
}

/** How many tokens of its row follow each token: [T]. */
function following(b: GraphBuilder): Value {
  return b.share('following tokens', () => {
    const last = b.reshape(b.input('last_positions'), ['B', 1])
    const left = b.node('Sub', [last, b.reshape(b.input('steps'), [1, 'S'])])
    return b.gather(b.reshape(left, ['B*S']), b.input('packed_rows'))
  })
}
