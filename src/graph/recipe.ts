/** What a weight recipe comes to, told without a byte of it. */
import { ServerError } from '../errors.ts'
import type { TensorDtype, TensorRef } from '../model/spec.ts'
import type { Dtype, Graph, Initializer, WeightRecipe } from './ir.ts'
import { joinNeighbours } from './matrix.ts'

/** fp8 has none: no kernel in use reads it, and what is made of it is a recipe. */
export const TENSOR_DTYPES: Readonly<Record<TensorDtype, Dtype | undefined>> = {
  F32: 'f32',
  F16: 'f16',
  BF16: 'bf16',
  I8: 'i8',
  F8_E4M3: undefined,
}

/** The tensor that a recipe comes to where the file holds its very bytes: nothing is copied then. */
export function tensorOf({ dtype, parts, turnRows, plusOne }: WeightRecipe): TensorRef | undefined {
  if (turnRows !== undefined || plusOne === true) return undefined
  if (parts.some(({ values, scale }) => scale !== undefined || TENSOR_DTYPES[values.dtype] !== dtype))
    return undefined
  return joinNeighbours(parts.map(({ values }) => values))
}

/** Throws `graph_invalid` where the parts do not fit together. */
export function shapeOf({ parts, turnRows }: WeightRecipe): readonly number[] {
  const [first] = parts
  if (first === undefined) throw new ServerError('graph_invalid', 'a weight is made of nothing')
  const [height = 0, ...rest] = first.values.shape
  let rows = 0
  for (const { values } of parts) {
    const [count = 0, ...others] = values.shape
    const fits = others.join() === rest.join() && (turnRows === undefined || count === height)
    if (!fits) {
      const shapes = parts.map((part) => `[${part.values.shape.join(', ')}]`).join(' and ')
      throw new ServerError('graph_invalid', `${shapes} cannot be one weight`)
    }
    rows += count
  }
  if (turnRows !== undefined && height % turnRows !== 0)
    throw new ServerError('graph_invalid', `${height} rows do not take turns of ${turnRows}`)
  return [rows, ...rest]
}

/** Whether a weight is still to be made. */
export function isRecipe(source: Initializer['source']): source is WeightRecipe {
  return !(source instanceof Uint8Array) && 'parts' in source
}

/** Whether a graph has weights that are still to be made. */
export function hasRecipes({ initializers }: Graph): boolean {
  return initializers.some(({ source }) => isRecipe(source))
}
