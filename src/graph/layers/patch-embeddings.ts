/** Pictures as tokens: the first hidden states of a vision transformer. */
import { ServerError } from '../../errors.ts'
import type { TensorRef } from '../../model/spec.ts'
import type { Value } from '../ir.ts'
import { slice } from '../matrix.ts'
import type { Workshop } from './encoder.ts'
import type { NormPlan } from './encoder-plan.ts'
import type { PatchGrid } from './patch-positions.ts'
import { resizeGrid } from './patch-positions.ts'

/** norm(tokens + positions): learned tokens first, then the projected patches. */
export interface PatchesPlan {
  /** H */
  readonly width: number
  /** Pixels of a patch's side, p. */
  readonly patchSize: number
  /** A convolution of `name`.weight [H, 3, p, p], a patch at a time. */
  readonly projection: { readonly name: string; readonly bias: boolean }
  /** Tokens before the patches, in order. */
  readonly leading: readonly LearnedTokens[]
  /** Undefined: patches have no place, or it is told elsewhere. */
  readonly positions?: PatchPositions
  readonly norm?: NormPlan
}

export interface LearnedTokens {
  /** Whole name of a tensor within the body, of `count` · H numbers. */
  readonly name: string
  /** As it lies in the file. */
  readonly shape: readonly number[]
  readonly count: number
}

/** A row for each of the first `leadingRows` learned tokens, then one for each patch of the grid, line by line. */
export interface PatchPositions {
  /** Whole name of the tensor within the body. */
  readonly name: string
  /** As it lies in the file. */
  readonly shape: readonly number[]
  /** Learned tokens behind these have no position. */
  readonly leadingRows: number
  readonly grid: PatchGrid
  /** Given, the grid is another one, and what its places get is between the rows of the first. */
  readonly resize?: { readonly to: PatchGrid; readonly antialias: boolean }
}

/** The batch's patches to the first hidden states [T, H]. */
export function embedPatches(shop: Workshop, plan: PatchesPlan): Value {
  const { b, kernels, tensors } = shop
  let x = withLeading(shop, plan, projectPatches(shop, plan))
  if (plan.positions !== undefined) {
    const table = b.cast(positionTable(shop, plan, plan.positions), kernels.dtype)
    x = b.node('Add', [x, b.gather(table, b.input('positions'))])
  }
  return plan.norm === undefined ? x : kernels.norm(b, x, tensors.norm(plan.norm, plan.width))
}

/** A convolution whose step is its size is a linear layer over the numbers of each patch. */
export function projectPatches({ b, kernels, tensors }: Workshop, plan: PatchesPlan): Value {
  const { width, patchSize: p, projection } = plan
  const count = 3 * p * p
  const stored = tensors.tensor(`${projection.name}.weight`, [width, 3, p, p])
  const weight = { values: reshapeTensor(stored, [width, count]), scale: undefined }
  const bias = projection.bias ? tensors.tensor(`${projection.name}.bias`, [width]) : undefined
  const patches = b.cast(b.input('patches', { Q: count }), kernels.dtype)
  return kernels.linear(b, patches, { weight, bias }, 'identity')
}

/** Learned tokens in place of what was made of the lines that stand for them. */
function withLeading(shop: Workshop, { leading, width }: PatchesPlan, projected: Value): Value {
  const { b } = shop
  const count = countTokens(leading)
  if (count === 0) return projected
  const rows = leading.map((tokens) => learnedRows(shop, tokens, width))
  const table = b.cast(b.concat(rows, 0), projected.dtype)
  const positions = b.input('positions')
  const isLeading = b.node('LessOrEqual', [positions, b.constant(Int32Array.of(count - 1), [])])
  const first = b.constant(Int32Array.of(0), [])
  const learned = count === 1 ? table : b.gather(table, b.node('Where', [isLeading, positions, first]))
  return b.node('Where', [b.reshape(isLeading, ['T', 1]), learned, projected])
}

/** [L + G, H]: a row for each token of a picture. */
function positionTable(shop: Workshop, plan: PatchesPlan, positions: PatchPositions): Value {
  const { b, tensors } = shop
  const { width } = plan
  const { name, shape, leadingRows, grid, resize } = positions
  const places = grid.height * grid.width
  const stored = reshapeTensor(tensors.tensor(name, shape), [leadingRows + places, width])
  const extra = countTokens(plan.leading) - leadingRows
  if (resize === undefined && extra === 0) return b.tensor(stored)
  const rowsOf = (from: number, count: number): Value => b.cast(b.tensor(slice(stored, from, count)), 'f32')
  const parts = [
    ...(leadingRows > 0 ? [rowsOf(0, leadingRows)] : []),
    ...(extra > 0 ? [b.constant(new Float32Array(extra * width), [extra, width])] : []),
    patchRows(),
  ]
  return b.concat(parts, 0)

  function patchRows(): Value {
    const rows = rowsOf(leadingRows, places)
    if (resize === undefined) return rows
    return resizeGrid(b, rows, { ...resize, from: grid })
  }
}

function learnedRows({ b, tensors }: Workshop, { name, shape, count }: LearnedTokens, width: number): Value {
  return b.cast(b.tensor(reshapeTensor(tensors.tensor(name, shape), [count, width])), 'f32')
}

export function countTokens(leading: readonly LearnedTokens[]): number {
  return leading.reduce((sum, { count }) => sum + count, 0)
}

/** The same numbers in another shape. Throws `model_unsupported` for a tensor whose numbers do not lie side by side. */
export function reshapeTensor(ref: TensorRef, shape: readonly number[]): TensorRef {
  if (ref.strides === undefined) return { ...ref, shape }
  throw new ServerError(
    'model_unsupported',
    `a weight [${ref.shape.join(', ')}] in ${ref.file} has strides, which patches are not supported with`,
  )
}
