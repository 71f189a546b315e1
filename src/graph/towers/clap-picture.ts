/**
 * The picture that HTS-AT makes of a spectrogram: stretched to `side²  / mels` frames, which are cut into pieces of `side`
 * frames. These lie below each other, time across, mel bands down, and patches are cut out of that.
 */
import type { GraphBuilder } from '../builder.ts'
import type { Value } from '../ir.ts'
import type { Workshop } from '../layers/encoder.ts'
import { cubicTaps } from './clap-stretch.ts'

/** torch's own, of norms whose epsilon no setting changes. */
export const TORCH_EPSILON = 1e-5

export interface PictureSizes {
  readonly mels: number
  /** Of a spectrogram as it comes. */
  readonly frames: number
  /** Of the square picture. */
  readonly side: number
  /** Of a square patch. */
  readonly patch: number
}

/** What is cut out of the picture of each view. */
export interface CutOptions {
  /** Which of the spectrograms that lie one behind the other. */
  readonly views: readonly number[]
  /** Of a patch. */
  readonly height: number
  readonly width: number
}

/** Each mel band by the mean and the deviation that training found: x [B, lines, mels], and its like. */
export function normMels(shop: Workshop, x: Value): Value {
  const { scale, shift } = batchNorm(shop, 'batch_norm', x.shape[2] as number)
  return shop.b.node('Add', [shop.b.node('Mul', [x, scale]), shift])
}

/** A batch norm's factors and summands, [width] float32 each: ONNX Runtime computes them once. */
export function batchNorm({ b, tensors }: Workshop, name: string, width: number) {
  const [weight, bias, mean, variance] = ['weight', 'bias', 'running_mean', 'running_var'].map((part) =>
    b.cast(b.tensor(tensors.tensor(`${name}.${part}`, [width])), 'f32'),
  )
  const epsilon = b.constant(Float32Array.of(TORCH_EPSILON), [])
  const scale = b.node('Div', [weight, b.node('Sqrt', [b.node('Add', [variance, epsilon])])])
  return { scale, shift: b.node('Sub', [bias, b.node('Mul', [mean, scale])]) }
}

/**
 * Spectrograms [B, lines, mels] to patches [B·P, height · width], row by row of the picture; where there are several views, each
 * row of patches goes through all of them. What is left over at the right is not read.
 */
export function cutPicture(
  b: GraphBuilder,
  spectrograms: Value,
  { mels, frames, side }: PictureSizes,
  { views, height, width }: CutOptions,
): Value {
  const pieces = side / mels
  const across = Math.floor(side / width)
  const read = across * width
  const stretched = { from: frames, to: side * pieces }
  const lines = Array.from({ length: views.length * pieces * read }, (_, index) => {
    const [view, rest] = [Math.floor(index / (pieces * read)), index % (pieces * read)]
    const time = Math.floor(rest / read) * side + (rest % read)
    return { first: (views[view] as number) * frames, time }
  })
  const x = stretch(b, spectrograms, stretched, lines)
  const down = mels / height
  const apart = b.reshape(x, ['B', views.length, pieces, across, width, down, height])
  // To [B, pieces, down, views, across, height, width].
  const turned = b.node('Transpose', [apart], { perm: { ints: [0, 2, 5, 1, 3, 6, 4] } })
  return b.reshape(turned, [`B*${pieces * down * views.length * across}`, height * width])
}

/** A frame of a stretched spectrogram, and the line at which that begins. */
interface Line {
  readonly first: number
  readonly time: number
}

/** [B, lines, mels] to the wanted lines, [B, wanted, mels]: as torch's bicubic interpolation along time makes them. */
function stretch(
  b: GraphBuilder,
  x: Value,
  { from, to }: { readonly from: number; readonly to: number },
  wanted: readonly Line[],
): Value {
  const count = wanted.length
  const gather = (places: Int32Array): Value =>
    b.node('Gather', [x, b.constant(places, [count])], { axis: { int: 1 } })
  if (from === to) return gather(Int32Array.from(wanted, ({ first, time }) => first + time))
  const parts = cubicTaps(from, to).map(({ places, weights }) => {
    const lines = gather(Int32Array.from(wanted, ({ first, time }) => first + (places[time] as number)))
    const factors = Float32Array.from(wanted, ({ time }) => weights[time] as number)
    return b.node('Mul', [lines, b.constant(factors, [count, 1])])
  })
  return parts.reduce((sum, part) => b.node('Add', [sum, part]))
}

/** A convolution whose steps are as long as its kernel is a linear layer: patches [B·P, height · width] to [B·P, H]. */
export function projectPatches(
  { b, kernels, tensors }: Workshop,
  name: string,
  patches: Value,
  [H, height, width]: readonly [H: number, height: number, width: number],
): Value {
  const stored = tensors.tensor(`${name}.weight`, [H, 1, height, width])
  const weight = { values: { ...stored, shape: [H, height * width] }, scale: undefined }
  const bias = tensors.tensor(`${name}.bias`, [H])
  return kernels.linear(b, b.cast(patches, kernels.dtype), { weight, bias }, 'identity')
}

/** The average of the `count` tokens of each row: [B·P, H] float32 to [B, H]. */
export function averageTokens(b: GraphBuilder, x: Value, count: number): Value {
  const H = x.shape[1] as number
  // [B, H, P]
  const turned = b.node('Transpose', [b.reshape(x, ['B', count, H])], { perm: { ints: [0, 2, 1] } })
  const weights = b.constant(new Float32Array(count).fill(1 / count), [count, 1])
  return b.reshape(b.node('MatMul', [turned, weights]), ['B', H])
}
